/* SPDX-License-Identifier: ISC */
/* Streams and clock are fakes, and HTTP/2 is a stub here, so that every order
 * of events can be played. */
#include <stdlib.h>
#include <string.h>

#include "apns/link.h"
#include "base/err.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "unit/unit.h"

enum { REQUESTS_MAX = 8, CONNECTIONS_MAX = 8 };

#define MINUTE_MS ((uint64_t)60 * 1000)

/* --- the stub: net/h2.h without a wire ------------------------------------ */

struct h2 {
	struct stream *stream;
	const struct h2_handler *handler;
	void *arg;
	size_t limit;
	bool open; /* SETTINGS came, no GOAWAY */
	size_t in_flight;
	h2_response_fn *fn[REQUESTS_MAX];
	void *fn_arg[REQUESTS_MAX];
	int pings;
};

/* Those that live, oldest first. */
static struct h2 *made[CONNECTIONS_MAX];
static size_t made_count;

struct h2 *h2_new(struct loop *loop, struct stream *stream,
                  size_t in_flight_max, uint64_t settings_ms,
                  const struct h2_handler *handler, void *arg)
{
	struct h2 *h = xcalloc(1, sizeof(*h));

	(void)loop;
	assert_int_equal(settings_ms, 10 * 1000);
	h->stream = stream;
	h->handler = handler;
	h->arg = arg;
	h->limit = in_flight_max;
	assert_true(made_count < CONNECTIONS_MAX);
	made[made_count++] = h;
	return h;
}

size_t h2_slots(const struct h2 *h)
{
	return h->open && h->limit > h->in_flight ? h->limit - h->in_flight : 0;
}

size_t h2_in_flight(const struct h2 *h)
{
	return h->in_flight;
}

int h2_submit(struct h2 *h, const struct h2_request *request,
              uint64_t timeout_ms, h2_response_fn *fn, void *arg)
{
	(void)request;
	assert_int_equal(timeout_ms, 15000);
	if (h2_slots(h) == 0 || h->in_flight == REQUESTS_MAX)
		return ERR_UNAVAILABLE;
	h->fn[h->in_flight] = fn;
	h->fn_arg[h->in_flight++] = arg;
	return 0;
}

void h2_ping(struct h2 *h)
{
	h->pings++;
}

/* answer ends the oldest request. */
static void answer(struct h2 *h, enum h2_outcome outcome)
{
	const struct h2_response response = {
		.outcome = outcome,
		.status = outcome == H2_ANSWERED ? 200 : 0,
		.why = outcome == H2_ANSWERED ? "" : "lost",
	};
	h2_response_fn *fn = h->fn[0];
	void *arg = h->fn_arg[0];

	assert_true(h->in_flight > 0);
	h->in_flight--;
	memmove(h->fn, h->fn + 1, h->in_flight * sizeof(h->fn[0]));
	memmove(h->fn_arg, h->fn_arg + 1, h->in_flight * sizeof(h->fn_arg[0]));
	fn(arg, &response);
}

void h2_free(struct h2 **h)
{
	size_t i = 0;

	(*h)->open = false;
	while ((*h)->in_flight > 0)
		answer(*h, H2_UNKNOWN);
	stream_abort(&(*h)->stream);
	while (made[i] != *h)
		i++;
	made_count--;
	for (; i < made_count; i++)
		made[i] = made[i + 1];
	free(*h);
	*h = NULL;
}

static void settings(struct h2 *h)
{
	h->open = true;
	h->handler->on_ready(h->arg);
}

static void goaway(struct h2 *h)
{
	h->open = false;
	h->handler->on_goaway(h->arg, 0, STR("{\"reason\":\"Shutdown\"}"));
}

static void closed(struct h2 *h, int rc, const char *why)
{
	h->open = false;
	while (h->in_flight > 0)
		answer(h, H2_UNKNOWN);
	h->handler->on_closed(h->arg, rc, why);
}

/* --- the house of each test ------------------------------------------------
 */

struct house {
	struct loop *loop;
	struct resolver *resolver;
	struct apns_link *link;
	struct fake_peer *peers[16];
	size_t peer_count;
	int ready;
	int answered;
	int lost;
	enum apns_link_health health; /* of answers */
};

static void on_ready(void *arg)
{
	struct house *h = arg;

	h->ready++;
}

static enum apns_link_health on_answer(void *arg,
                                       const struct h2_response *response)
{
	struct house *h = arg;

	if (response->outcome == H2_ANSWERED)
		h->answered++;
	else
		h->lost++;
	return h->health;
}

static int submit(struct house *h)
{
	static const struct h2_request request;

	return apns_link_submit(h->link, &request, 15000, on_answer, h);
}

/* want is what apns does when a send was refused. */
static void want(struct house *h)
{
	assert_int_equal(submit(h), ERR_UNAVAILABLE);
	apns_link_want(h->link);
	fake_run(h->loop);
}

/* will_connect lets the next dial succeed. */
static void will_connect(struct house *h)
{
	assert_true(h->peer_count < 16);
	h->peers[h->peer_count++] = fake_dial_connect(h->loop, 0);
}

/* connect_link brings a connection up from nothing. */
static void connect_link(struct house *h)
{
	will_connect(h);
	want(h);
	assert_int_equal(made_count, 1);
	settings(made[0]);
	fake_run(h->loop);
}

static int build(void **state)
{
	static const struct apns_link_opts opts = { "apns.example", 443, 4 };
	struct house *h = xcalloc(1, sizeof(*h));

	h->loop = loop_new();
	h->resolver = resolver_new(h->loop);
	h->link = apns_link_new(h->loop, h->resolver, &opts, NULL, on_ready, h);
	made_count = 0;
	*state = h;
	return 0;
}

static int demolish(void **state)
{
	struct house *h = *state;

	apns_link_free(&h->link);
	for (size_t i = 0; i < h->peer_count; i++)
		fake_peer_free(&h->peers[i]);
	resolver_free(&h->resolver);
	streams_finish(h->loop);
	loop_free(&h->loop);
	free(h);
	return made_count == 0 ? 0 : -1;
}

static void nothing_is_dialled_before_it_is_wanted(void **state)
{
	struct house *h = *state;

	fake_clock_advance(h->loop, 60 * MINUTE_MS);
	assert_int_equal(submit(h), ERR_UNAVAILABLE);
	fake_clock_advance(h->loop, 60 * MINUTE_MS);
	assert_int_equal(fake_dials(h->loop), 0);
	apns_link_want(h->link);
	fake_run(h->loop);
	assert_int_equal(fake_dials(h->loop), 1);
	assert_string_equal(fake_dial_target(h->loop)->host, "apns.example");
	assert_int_equal(fake_dial_target(h->loop)->port, 443);
}

static void ready_comes_with_settings_once_per_want(void **state)
{
	struct house *h = *state;

	will_connect(h);
	want(h);
	want(h);
	assert_int_equal(fake_dials(h->loop), 1);
	assert_int_equal(h->ready, 0);
	assert_int_equal(submit(h), ERR_UNAVAILABLE);
	settings(made[0]);
	assert_int_equal(h->ready, 0); /* on a later turn */
	fake_run(h->loop);
	assert_int_equal(h->ready, 1);
	made[0]->handler->on_slots(made[0]->arg);
	fake_run(h->loop);
	assert_int_equal(h->ready, 1);
	/* Wanted though it is there: said on the next turn. */
	apns_link_want(h->link);
	fake_run(h->loop);
	assert_int_equal(h->ready, 2);
	assert_int_equal(fake_dials(h->loop), 1);
}

static void full_connection_says_when_there_is_room(void **state)
{
	struct house *h = *state;

	connect_link(h);
	for (int i = 0; i < 4; i++)
		assert_ok(submit(h));
	h->ready = 0;
	want(h);
	assert_int_equal(h->ready, 0);
	answer(made[0], H2_ANSWERED);
	made[0]->handler->on_slots(made[0]->arg);
	fake_run(h->loop);
	assert_int_equal(h->ready, 1);
	assert_ok(submit(h));
}

static void refused_dials_back_off_up_to_a_minute(void **state)
{
	static const uint64_t steps_ms[] = { 1000,  2000,  4000,  8000,
		                             16000, 32000, 60000, 60000 };
	struct house *h = *state;

	fake_dial_fail(h->loop, 0, ERR_CLOSED, "Connection refused");
	want(h);
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		uint64_t wait_ms = fake_clock_next(h->loop);

		assert_in_range(wait_ms, steps_ms[i] / 2, steps_ms[i]);
		assert_int_equal(fake_dials(h->loop), i + 1);
		want(h); /* does not hurry it */
		assert_int_equal(fake_dials(h->loop), i + 1);
		fake_dial_fail(h->loop, 0, ERR_CLOSED, "Connection refused");
		fake_clock_advance(h->loop, wait_ms);
		assert_int_equal(fake_dials(h->loop), i + 2);
	}
	will_connect(h);
	fake_clock_advance(h->loop, MINUTE_MS);
	settings(made[0]);
	fake_run(h->loop);
	assert_int_equal(h->ready, 1);
}

static void settings_alone_do_not_end_the_back_off(void **state)
{
	struct house *h = *state;
	uint64_t waited_ms = 0;

	will_connect(h);
	want(h);
	for (int i = 0; i < 7; i++) {
		settings(made[0]);
		goaway(made[0]);
		fake_run(h->loop);
		assert_int_equal(made_count, 0); /* nothing to drain */
		apns_link_want(h->link);
		waited_ms = fake_clock_next(h->loop);
		will_connect(h);
		fake_clock_advance(h->loop, waited_ms);
		assert_int_equal(made_count, 1);
	}
	assert_in_range(waited_ms, MINUTE_MS / 2, MINUTE_MS);
}

static void lost_connection_is_not_replaced_until_wanted(void **state)
{
	struct house *h = *state;

	connect_link(h);
	closed(made[0], ERR_CLOSED, "connection closed");
	fake_clock_advance(h->loop, 60 * MINUTE_MS);
	assert_int_equal(fake_dials(h->loop), 1);
	will_connect(h);
	want(h); /* the back-off is long over */
	assert_int_equal(fake_dials(h->loop), 2);
}

static void connection_that_stood_is_replaced_at_once(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, MINUTE_MS);
	assert_ok(submit(h));
	will_connect(h);
	closed(made[0], ERR_CLOSED, "connection closed");
	assert_int_equal(h->lost, 1);
	want(h);
	assert_int_equal(fake_dials(h->loop), 2);
}

static void connection_that_answered_is_replaced_after_a_second(void **state)
{
	struct house *h = *state;

	for (int i = 0; i < 5; i++) {
		will_connect(h);
		want(h);
		fake_clock_advance(h->loop, 1000);
		assert_int_equal(fake_dials(h->loop), i + 1);
		settings(made[0]);
		fake_run(h->loop);
		assert_ok(submit(h));
		answer(made[0], H2_ANSWERED);
		closed(made[0], ERR_CLOSED, "connection closed");
	}
	assert_int_equal(h->answered, 5);
}

static void goaway_drains_the_old_and_opens_a_new_one(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, MINUTE_MS);
	assert_ok(submit(h));
	assert_ok(submit(h));
	goaway(made[0]);
	goaway(made[0]); /* Apple sends two in a row */
	will_connect(h);
	want(h);
	assert_int_equal(made_count, 2);
	settings(made[1]);
	fake_run(h->loop);
	assert_ok(submit(h));
	assert_int_equal(made[1]->in_flight, 1);
	/* The old one ends with its last answer, the new one stays. */
	answer(made[0], H2_ANSWERED);
	fake_run(h->loop);
	assert_int_equal(made_count, 2);
	answer(made[0], H2_ANSWERED);
	fake_run(h->loop);
	assert_int_equal(made_count, 1);
	assert_int_equal(made[0]->in_flight, 1);
	assert_int_equal(h->answered, 2);
}

static void draining_connection_that_closes_leaves_the_new_one(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, MINUTE_MS);
	assert_ok(submit(h));
	goaway(made[0]);
	will_connect(h);
	want(h);
	settings(made[1]);
	fake_run(h->loop);
	answer(made[0], H2_NOT_PROCESSED); /* and a sweep is due */
	closed(made[0], ERR_CLOSED, "connection closed");
	fake_run(h->loop);
	assert_int_equal(made_count, 1);
	assert_ok(submit(h)); /* not paused by what befell the old one */
}

static void reset_streams_make_it_pause(void **state)
{
	struct house *h = *state;
	uint64_t waited_ms = 0;

	connect_link(h);
	for (int i = 0; i < 9; i++) {
		h->ready = 0;
		assert_ok(submit(h));
		answer(made[0], H2_NOT_PROCESSED);
		want(h);
		waited_ms = fake_clock_next(h->loop);
		assert_true(waited_ms >= 250);
		assert_int_equal(h->ready, 0);
		fake_clock_advance(h->loop, waited_ms);
		assert_int_equal(h->ready, 1);
	}
	assert_in_range(waited_ms, MINUTE_MS / 2, MINUTE_MS);
	/* An answer ends the growth. */
	assert_ok(submit(h));
	answer(made[0], H2_ANSWERED);
	assert_ok(submit(h));
	answer(made[0], H2_UNKNOWN);
	want(h);
	assert_in_range(fake_clock_next(h->loop), 250, 500);
}

static void long_idle_connection_is_pinged_before_use(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, 5 * MINUTE_MS - 1);
	assert_ok(submit(h));
	answer(made[0], H2_ANSWERED);
	assert_int_equal(made[0]->pings, 0);
	fake_clock_advance(h->loop, 5 * MINUTE_MS);
	assert_ok(submit(h));
	assert_int_equal(made[0]->pings, 1);
	assert_ok(submit(h));
	assert_int_equal(made[0]->pings, 1);
}

static void refused_certificate_waits_five_minutes(void **state)
{
	struct house *h = *state;

	will_connect(h);
	want(h);
	closed(made[0], ERR_AUTH, "tls alert: certificate expired (45)");
	fake_run(h->loop);
	assert_int_equal(made_count, 0);
	want(h);
	fake_clock_advance(h->loop, 5 * MINUTE_MS - 1);
	assert_int_equal(fake_dials(h->loop), 1);
	fake_dial_fail(h->loop, 0, ERR_AUTH, "tls with apns.example: no");
	fake_clock_advance(h->loop, 1);
	assert_int_equal(fake_dials(h->loop), 2);
	/* Any other failure of TLS may pass. */
	fake_dial_fail(h->loop, 0, ERR_TLS, "tls with apns.example: no");
	fake_clock_advance(h->loop, 5 * MINUTE_MS);
	assert_int_equal(fake_dials(h->loop), 3);
	assert_in_range(fake_clock_next(h->loop), 500, 1000);
}

static void refusal_may_come_by_goaway(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, MINUTE_MS); /* it stood */
	made[0]->open = false;
	made[0]->handler->on_goaway(made[0]->arg, 0,
	                            STR("{\"reason\":\"BadCertificate\"}"));
	want(h);
	fake_clock_advance(h->loop, 5 * MINUTE_MS - 1);
	assert_int_equal(fake_dials(h->loop), 1);
	fake_clock_advance(h->loop, 1);
	assert_int_equal(fake_dials(h->loop), 2);
}

static void renewal_drains_the_old_and_opens_a_new_one(void **state)
{
	struct house *h = *state;

	connect_link(h);
	assert_ok(submit(h));
	assert_ok(submit(h));
	apns_link_renew(h->link, NULL, 4);
	will_connect(h);
	want(h);
	assert_int_equal(made_count, 2); /* at once */
	answer(made[0], H2_ANSWERED);
	settings(made[1]);
	fake_run(h->loop);
	assert_ok(submit(h));
	assert_int_equal(made[1]->in_flight, 1);
	answer(made[0], H2_ANSWERED);
	fake_run(h->loop);
	assert_int_equal(made_count, 1);
	assert_int_equal(h->answered, 2);
	/* Idle, it ends on the next turn. */
	answer(made[0], H2_ANSWERED);
	apns_link_renew(h->link, NULL, 4);
	fake_run(h->loop);
	assert_int_equal(made_count, 0);
	assert_int_equal(fake_dials(h->loop), 2); /* nothing wants another */
}

static void renewal_ends_every_wait(void **state)
{
	struct house *h = *state;

	apns_link_renew(h->link, NULL, 4); /* nothing there yet */
	want(h);
	assert_int_equal(fake_dials_open(h->loop), 1);
	apns_link_renew(h->link, NULL, 4); /* dialling */
	fake_run(h->loop);
	assert_int_equal(fake_dials(h->loop), 2);
	assert_int_equal(fake_dials_open(h->loop), 1);
	apns_link_free(&h->link);
}

static void renewal_ends_the_wait_after_a_refusal(void **state)
{
	struct house *h = *state;

	will_connect(h);
	want(h);
	closed(made[0], ERR_AUTH, "tls alert: certificate expired (45)");
	want(h);
	will_connect(h);
	apns_link_renew(h->link, NULL, 4); /* waiting */
	fake_run(h->loop);
	assert_int_equal(made_count, 1);
	will_connect(h);
	apns_link_renew(h->link, NULL, 4); /* settling */
	fake_run(h->loop);
	assert_int_equal(made_count, 1);
	assert_int_equal(fake_dials(h->loop), 3);
	settings(made[0]);
	fake_run(h->loop);
	assert_ok(submit(h));
}

/* say gives |count| answers that say that of the connection. */
static void say(struct house *h, enum apns_link_health health, int count)
{
	h->health = health;
	for (int i = 0; i < count; i++) {
		assert_ok(submit(h));
		answer(made[0], H2_ANSWERED);
	}
	fake_run(h->loop);
}

static void three_errors_in_a_row_replace_the_connection(void **state)
{
	struct house *h = *state;

	connect_link(h);
	say(h, APNS_LINK_UNWELL, 2);
	say(h, APNS_LINK_WELL, 1);
	say(h, APNS_LINK_UNWELL, 2);
	assert_int_equal(made_count, 1);
	say(h, APNS_LINK_UNWELL, 1);
	assert_int_equal(made_count, 0);
	want(h);
	assert_in_range(fake_clock_next(h->loop), 500, 1000);
}

static void connections_that_give_errors_only_back_off(void **state)
{
	struct house *h = *state;
	uint64_t waited_ms = 0;

	connect_link(h);
	for (int i = 0; i < 8; i++) {
		say(h, APNS_LINK_UNWELL, 3);
		want(h);
		waited_ms = fake_clock_next(h->loop);
		will_connect(h);
		fake_clock_advance(h->loop, waited_ms);
		settings(made[0]);
		fake_run(h->loop);
	}
	assert_in_range(waited_ms, MINUTE_MS / 2, MINUTE_MS);
}

static void answer_may_end_the_connection_at_once(void **state)
{
	struct house *h = *state;

	connect_link(h);
	say(h, APNS_LINK_WELL, 1);
	assert_ok(submit(h));
	assert_ok(submit(h));
	h->health = APNS_LINK_DEAD;
	answer(made[0], H2_ANSWERED);
	fake_run(h->loop);
	assert_int_equal(made_count, 1); /* the other one ends on it */
	assert_int_equal(submit(h), ERR_UNAVAILABLE);
	answer(made[0], H2_ANSWERED);
	fake_run(h->loop);
	assert_int_equal(made_count, 0);
	want(h);
	assert_in_range(fake_clock_next(h->loop), 500, 1000);
}

static void goaway_before_settings_is_a_failure(void **state)
{
	struct house *h = *state;

	will_connect(h);
	want(h);
	goaway(made[0]);
	fake_run(h->loop);
	assert_int_equal(made_count, 0);
	assert_in_range(fake_clock_next(h->loop), 500, 1000);
}

static void free_answers_what_is_open(void **state)
{
	struct house *h = *state;

	connect_link(h);
	fake_clock_advance(h->loop, MINUTE_MS);
	assert_ok(submit(h));
	goaway(made[0]);
	will_connect(h);
	want(h);
	settings(made[1]);
	fake_run(h->loop);
	assert_ok(submit(h));
	assert_ok(submit(h));
	apns_link_free(&h->link);
	assert_int_equal(h->lost, 3);
	assert_int_equal(made_count, 0);
	assert_int_equal(fake_timers(h->loop), 0);
}

static void free_while_dialling_or_waiting(void **state)
{
	struct house *h = *state;

	want(h);
	assert_int_equal(fake_dials_open(h->loop), 1);
	apns_link_free(&h->link);
	assert_int_equal(fake_dials_open(h->loop), 0);
	assert_int_equal(fake_timers(h->loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, demolish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_dialled_before_it_is_wanted),
		TEST(ready_comes_with_settings_once_per_want),
		TEST(full_connection_says_when_there_is_room),
		TEST(refused_dials_back_off_up_to_a_minute),
		TEST(settings_alone_do_not_end_the_back_off),
		TEST(lost_connection_is_not_replaced_until_wanted),
		TEST(connection_that_stood_is_replaced_at_once),
		TEST(connection_that_answered_is_replaced_after_a_second),
		TEST(goaway_drains_the_old_and_opens_a_new_one),
		TEST(draining_connection_that_closes_leaves_the_new_one),
		TEST(reset_streams_make_it_pause),
		TEST(long_idle_connection_is_pinged_before_use),
		TEST(refused_certificate_waits_five_minutes),
		TEST(refusal_may_come_by_goaway),
		TEST(renewal_drains_the_old_and_opens_a_new_one),
		TEST(renewal_ends_every_wait),
		TEST(renewal_ends_the_wait_after_a_refusal),
		TEST(three_errors_in_a_row_replace_the_connection),
		TEST(connections_that_give_errors_only_back_off),
		TEST(answer_may_end_the_connection_at_once),
		TEST(goaway_before_settings_is_a_failure),
		TEST(free_answers_what_is_open),
		TEST(free_while_dialling_or_waiting),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
