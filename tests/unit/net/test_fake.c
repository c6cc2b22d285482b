/* SPDX-License-Identifier: ISC */
/* The fakes, by the rules of the headers that they implement. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "fake/fake.h"
#include "unit/unit.h"

/* An owner that notes what it hears, in letters. */
struct owner {
	struct stream *stream;
	struct fake_peer *peer;
	struct buf heard; /* O open, D data, E eof, W drained, X error */
	struct buf got;
	size_t take_max;
};

static void hear(struct owner *o, const char *letter)
{
	assert_ok(buf_adds(&o->heard, letter));
}

static void on_open(void *arg)
{
	hear(arg, "O");
}

static size_t on_data(void *arg, struct str bytes)
{
	struct owner *o = arg;

	hear(o, "D");
	bytes = str_sub(bytes, 0, o->take_max);
	assert_ok(buf_add(&o->got, bytes));
	return bytes.len;
}

static void on_eof(void *arg)
{
	hear(arg, "E");
}

static void on_drained(void *arg)
{
	hear(arg, "W");
}

static void on_error(void *arg, int rc, const char *why)
{
	assert_int_equal(rc, ERR_CLOSED);
	assert_string_equal(why, "reset");
	hear(arg, "X");
}

static const struct stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_error = on_error,
};

static void owner_init(struct owner *o, struct loop *loop)
{
	*o = (struct owner){ .take_max = SIZE_MAX };
	buf_init(&o->heard, 1000);
	buf_init(&o->got, 100000);
	if (loop != NULL) {
		o->stream = fake_stream_new(loop, &o->peer);
		stream_set_handler(o->stream, &handler, o);
	}
}

static void owner_done(struct owner *o)
{
	stream_abort(&o->stream);
	fake_peer_free(&o->peer);
	buf_reset(&o->heard);
	buf_reset(&o->got);
}

static void stream_events_come_in_order(void **state)
{
	struct loop *loop = loop_new();
	struct owner o;

	(void)state;
	owner_init(&o, loop);
	fake_push(o.peer, STR("one"));
	fake_push(o.peer, STR("two"));
	fake_push_eof(o.peer);
	assert_int_equal(o.heard.len, 0);
	fake_run(loop);
	assert_str(buf_str(&o.heard), "ODDE");
	assert_str(buf_str(&o.got), "onetwo");
	assert_ok(stream_write(o.stream, STR("bye")));
	stream_close(&o.stream);
	assert_false(fake_is_closed(o.peer));
	fake_run(loop);
	assert_str(fake_written(o.peer), "bye");
	assert_true(fake_is_closed(o.peer));
	owner_done(&o);
	loop_free(&loop);
}

static void stream_keeps_what_is_left_over(void **state)
{
	struct loop *loop = loop_new();
	struct owner o;

	(void)state;
	owner_init(&o, loop);
	o.take_max = 2;
	fake_push_split(o.peer, STR("abcdef"), 3);
	fake_push_eof(o.peer);
	fake_run(loop);
	assert_str(buf_str(&o.heard), "OD");
	assert_false(fake_is_reading(o.peer));
	stream_resume(o.stream);
	assert_str(buf_str(&o.got), "ab"); /* not from inside the call */
	o.take_max = 4;
	fake_run(loop);
	assert_str(buf_str(&o.got), "abcdef");
	assert_str(buf_str(&o.heard), "ODDE");
	owner_done(&o);
	loop_free(&loop);
}

static void stream_back_pressure(void **state)
{
	static char block[STREAM_HIGH_WATER + 1];
	struct loop *loop = loop_new();
	struct owner o;

	(void)state;
	owner_init(&o, loop);
	fake_stall(o.peer);
	assert_ok(stream_write(o.stream, str_new(block, sizeof(block))));
	fake_run(loop);
	assert_int_equal(stream_pending(o.stream), sizeof(block));
	fake_take(o.peer, sizeof(block) - STREAM_LOW_WATER - 1);
	fake_run(loop);
	assert_str(buf_str(&o.heard), "O");
	fake_take(o.peer, 1);
	fake_run(loop);
	assert_str(buf_str(&o.heard), "OW");
	fake_unstall(o.peer);
	fake_run(loop);
	assert_int_equal(stream_pending(o.stream), 0);
	assert_int_equal(
		stream_write(o.stream, str_new(block, STREAM_OUTPUT_MAX + 1)),
		ERR_LIMIT);
	fake_break(o.peer, ERR_CLOSED, "reset");
	assert_int_equal(stream_write(o.stream, STR("x")), ERR_CLOSED);
	fake_run(loop);
	assert_str(buf_str(&o.heard), "OWX");
	owner_done(&o);
	loop_free(&loop);
}

static void stream_close_gives_a_slow_peer_5_s(void **state)
{
	struct loop *loop = loop_new();
	struct owner o;

	(void)state;
	owner_init(&o, loop);
	fake_stall(o.peer);
	assert_ok(stream_write(o.stream, STR("bye")));
	stream_close(&o.stream);
	fake_clock_advance(loop, 4999);
	assert_false(fake_is_aborted(o.peer));
	fake_clock_advance(loop, 1);
	assert_true(fake_is_aborted(o.peer));
	owner_done(&o);
	loop_free(&loop);
}

struct note {
	struct loop *loop;
	struct loop_timer *timer;
	uint64_t at_ms;
	int calls;
};

static void on_note(void *arg)
{
	struct note *n = arg;

	n->calls++;
	n->at_ms = loop_now_ms(n->loop);
}

static void timers_fire_at_their_time(void **state)
{
	struct loop *loop = loop_new();
	uint64_t start = loop_now_ms(loop);
	int64_t wall = loop_wall_ms(loop);
	struct note a = { .loop = loop };
	struct note b = { .loop = loop };

	(void)state;
	a.timer = loop_timer_new(loop, on_note, &a);
	b.timer = loop_timer_new(loop, on_note, &b);
	loop_timer_set(a.timer, 200);
	loop_timer_set(b.timer, 100);
	assert_int_equal(fake_clock_next(loop), 100);
	fake_clock_advance(loop, 99);
	assert_int_equal(b.calls, 0);
	fake_clock_advance(loop, 1000);
	assert_int_equal(b.at_ms - start, 100);
	assert_int_equal(a.at_ms - start, 200);
	assert_int_equal(fake_timers(loop), 0);
	assert_int_equal(loop_wall_ms(loop) - wall, 1099);
	loop_timer_free(&a.timer);
	loop_timer_free(&b.timer);
	loop_free(&loop);
}

struct dialer {
	struct loop *loop;
	struct dial *dial;
	struct owner owner;
	int calls;
	int rc;
	char why[384];
};

static void on_dialed(void *arg, int rc, struct stream *stream, const char *why)
{
	struct dialer *d = arg;

	d->dial = NULL;
	d->calls++;
	d->rc = rc;
	(void)snprintf(d->why, sizeof(d->why), "%s", why);
	d->owner.stream = stream;
	if (stream != NULL)
		stream_set_handler(stream, &handler, &d->owner);
}

static void dials_meet_their_outcomes(void **state)
{
	const struct dial_target target = { .host = "mail.example.org",
		                            .port = 993 };
	struct dialer d = { .loop = loop_new() };

	(void)state;
	owner_init(&d.owner, NULL);
	d.owner.peer = fake_dial_connect(d.loop, 0);
	fake_dial_fail(d.loop, 50, ERR_CLOSED, "refused");
	fake_dial_hang(d.loop);

	d.dial = dial_start(d.loop, NULL, &target, NULL, 1000, on_dialed, &d);
	assert_int_equal(d.calls, 0);
	fake_push(d.owner.peer, STR("hello"));
	fake_run(d.loop);
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.rc, ERR_OK);
	assert_str(buf_str(&d.owner.got), "hello");
	assert_string_equal(fake_dial_target(d.loop)->host, target.host);
	stream_close(&d.owner.stream);

	d.dial = dial_start(d.loop, NULL, &target, NULL, 1000, on_dialed, &d);
	fake_clock_advance(d.loop, 49);
	assert_int_equal(d.calls, 1);
	fake_clock_advance(d.loop, 1);
	assert_int_equal(d.rc, ERR_CLOSED);
	assert_string_equal(d.why, "refused");

	d.dial = dial_start(d.loop, NULL, &target, NULL, 1000, on_dialed, &d);
	fake_clock_advance(d.loop, 1000);
	assert_int_equal(d.rc, ERR_TIMEOUT);

	d.dial = dial_start(d.loop, NULL, &target, NULL, 1000, on_dialed, &d);
	assert_int_equal(fake_dials_waiting(d.loop), 1);
	dial_cancel(&d.dial);
	fake_clock_advance(d.loop, 1000);
	assert_int_equal(d.calls, 3);
	owner_done(&d.owner);
	loop_free(&d.loop);
}

static void outcomes_of_a_port_are_for_its_dials(void **state)
{
	const struct dial_target mail = { .host = "mail.example.org",
		                          .port = 993 };
	const struct dial_target apns = { .host = "apns.example.org",
		                          .port = 443 };
	struct dialer d = { .loop = loop_new() };

	(void)state;
	owner_init(&d.owner, NULL);
	d.dial = dial_start(d.loop, NULL, &mail, NULL, 1000, on_dialed, &d);
	(void)dial_start(d.loop, NULL, &apns, NULL, 1000, on_dialed, &d);
	fake_dial_only(d.loop, apns.port);
	fake_dial_fail(d.loop, 0, ERR_CLOSED, "refused");
	fake_run(d.loop);
	assert_int_equal(d.calls, 1);
	assert_int_equal(fake_dials_waiting_to(d.loop, mail.port), 1);
	assert_int_equal(fake_dials_waiting_to(d.loop, apns.port), 0);
	fake_clock_advance(d.loop, 1000);
	assert_int_equal(d.rc, ERR_TIMEOUT);
	owner_done(&d.owner);
	loop_free(&d.loop);
}

struct acceptor {
	struct loop *loop;
	struct owner owner;
	bool refuse;
};

static void on_accept(void *arg, int fd)
{
	struct acceptor *a = arg;

	if (a->refuse) {
		(void)close(fd);
		return;
	}
	a->owner.stream = stream_accepted(a->loop, fd, NULL);
	stream_set_handler(a->owner.stream, &handler, &a->owner);
}

static void accepted_streams(void **state)
{
	struct acceptor a = { .loop = loop_new() };
	struct listener *l = NULL;
	struct fake_peer *peer;

	(void)state;
	owner_init(&a.owner, NULL);
	assert_null(fake_accept(a.loop, 0));
	assert_ok(listener_open(a.loop, "*", 0, on_accept, &a, &l, NULL));
	listener_pause(l);
	a.owner.peer = fake_accept(a.loop, listener_port(l));
	fake_push(a.owner.peer, STR("a1"));
	fake_run(a.loop);
	assert_null(a.owner.stream);
	listener_resume(l);
	fake_run(a.loop);
	assert_str(buf_str(&a.owner.heard), "OD");

	a.refuse = true;
	peer = fake_accept(a.loop, 0);
	fake_run(a.loop);
	assert_true(fake_is_aborted(peer));
	fake_peer_free(&peer);
	owner_done(&a.owner);
	listener_free(&l);
	loop_free(&a.loop);
}

static void on_count(void *arg)
{
	(*(int *)arg)++;
}

static void offload_waits_when_held(void **state)
{
	struct loop *loop = loop_new();
	struct offload *o = offload_new(loop, "test");
	int count = 0;

	(void)state;
	offload_submit(o, on_count, on_count, &count);
	assert_int_equal(count, 0);
	fake_run(loop);
	assert_int_equal(count, 2);
	fake_offload_hold(loop);
	offload_submit(o, on_count, on_count, &count);
	offload_submit(o, on_count, on_count, &count);
	fake_run(loop);
	assert_int_equal(count, 2);
	assert_true(fake_offload_step(loop));
	assert_int_equal(count, 3);
	fake_run(loop);
	assert_int_equal(count, 4);
	offload_free(&o);
	assert_int_equal(count, 6);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_events_come_in_order),
		cmocka_unit_test(stream_keeps_what_is_left_over),
		cmocka_unit_test(stream_back_pressure),
		cmocka_unit_test(stream_close_gives_a_slow_peer_5_s),
		cmocka_unit_test(timers_fire_at_their_time),
		cmocka_unit_test(dials_meet_their_outcomes),
		cmocka_unit_test(outcomes_of_a_port_are_for_its_dials),
		cmocka_unit_test(accepted_streams),
		cmocka_unit_test(offload_waits_when_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
