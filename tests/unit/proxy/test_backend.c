/* SPDX-License-Identifier: ISC */
/* When a backend counts as down, what a login is told then, and its return. */
#include "base/metric.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define UNAVAILABLE                                                        \
	"a NO [UNAVAILABLE] The mail server cannot be reached, try again " \
	"later.\r\n"

/* next_client takes the place of the one before. */
static void next_client(struct stage *st)
{
	fake_peer_free(&st->client);
	stage_client(st);
}

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_client(st);
	assert_int_equal(metric_get(METRIC_BACKEND_UP), 1);
}

static void is_up(bool up)
{
	assert_int_equal(metric_get(METRIC_BACKEND_UP), up);
}

/* is_turned_away: a login is answered without a dial. */
static void is_turned_away(struct stage *st)
{
	size_t before = fake_dials(st->loop);

	next_client(st);
	stage_c(st, "a LOGIN u1 pw\r\n");
	stage_sees_c(st, UNAVAILABLE);
	assert_int_equal(fake_dials(st->loop), before);
}

/* is_let_in: a login is dialled, and its answer passes. */
static void is_let_in(struct stage *st)
{
	next_client(st);
	stage_c(st, "a LOGIN u1 pw\r\n");
	fake_peer_free(&st->backend);
	stage_dialled(st);
	stage_b(st, "a OK in\r\n");
	stage_sees_c(st, "a OK in\r\n");
}

static void first_refusal_ends_the_dialling(void **arg)
{
	static const int kinds[] = { ERR_CLOSED, ERR_DNS, ERR_TLS, ERR_AUTH };

	(void)arg;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stage st;

		begin(&st);
		fake_dial_fail(st.loop, 5, kinds[i], "no");
		stage_c(&st, "a LOGIN u1 pw\r\n");
		fake_clock_advance(st.loop, 5);
		stage_sees_c(&st, UNAVAILABLE);
		is_up(false);
		/* The probe that began by itself has no answer yet. */
		assert_int_equal(fake_dials_waiting(st.loop), 1);
		for (int n = 0; n < 50; n++)
			is_turned_away(&st);
		stage_probe(&st);
		is_up(true);
		is_let_in(&st);
		stage_done(&st);
	}
}

/* Whoever asks and whoever does not: never more than 8 s between two. */
static void probes_go_on_while_it_is_down(void **arg)
{
	struct stage st;
	size_t before;

	(void)arg;
	begin(&st);
	for (int i = 0; i < 10000; i++)
		fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	before = fake_dials(st.loop);
	fake_clock_advance(st.loop, 1000);
	assert_true(fake_dials(st.loop) > before);
	for (int i = 0; i < 100; i++) {
		before = fake_dials(st.loop);
		fake_clock_advance(st.loop, 8000);
		assert_in_range(fake_dials(st.loop) - before, 1, 8);
		is_turned_away(&st);
	}
	stage_done(&st);
}

/* One user's packets are lost, or the server lets that one wait. */
static void timeout_is_doubt(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_dial_hang(st.loop);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	fake_clock_advance(st.loop, 10 * 1000);
	stage_sees_c(&st, UNAVAILABLE);
	is_up(true);
	stage_probe(&st);
	is_let_in(&st);
	/* If the probe has no better luck it is down. */
	fake_dial_hang(st.loop);
	fake_dial_hang(st.loop);
	next_client(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	fake_clock_advance(st.loop, 10 * 1000);
	stage_sees_c(&st, UNAVAILABLE);
	is_up(true);
	fake_clock_advance(st.loop, 10 * 1000);
	is_up(false);
	is_turned_away(&st);
	stage_done(&st);
}

static void bad_greeting_is_doubt(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	st.backend = fake_dial_connect(st.loop, 0);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_b(&st, "220 smtp ready\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	is_up(true);
	fake_peer_free(&st.backend);
	st.backend = fake_dial_connect(st.loop, 0);
	fake_run(st.loop);
	stage_b(&st, "220 smtp ready\r\n");
	is_up(false);
	is_turned_away(&st);
	stage_done(&st);
}

/* However many fail together, there is one probe. */
static void doubts_share_a_probe(void **arg)
{
	struct fake_peer *clients[10];
	struct stage st;

	(void)arg;
	begin(&st);
	for (size_t i = 0; i < 10; i++) {
		clients[i] = fake_accept(st.loop, 143);
		fake_run(st.loop);
		fake_push(clients[i], STR("a LOGIN u1 pw\r\n"));
		fake_dial_hang(st.loop);
		fake_run(st.loop);
	}
	fake_clock_advance(st.loop, 10 * 1000);
	assert_int_equal(fake_dials_open(st.loop), 1);
	stage_probe(&st);
	assert_int_equal(fake_dials_open(st.loop), 0);
	is_up(true);
	for (size_t i = 0; i < 10; i++)
		fake_peer_free(&clients[i]);
	stage_done(&st);
}

/* A probe that fails while others are let in is the probe's trouble. */
static void logins_outweigh_a_probe(void **arg)
{
	int64_t probed_ms;
	struct stage st;

	(void)arg;
	begin(&st);
	fake_dial_hang(st.loop);
	fake_clock_advance(st.loop, 300 * 1000);
	probed_ms = metric_get(METRIC_BACKEND_SEEN_MS);
	is_let_in(&st);
	assert_int_equal(metric_get(METRIC_BACKEND_SEEN_MS),
	                 loop_now_ms(st.loop));
	assert_int_equal(loop_now_ms(st.loop) - probed_ms, 300 * 1000);
	fake_clock_advance(st.loop, 10 * 1000);
	is_up(true);
	/* One that began later has no such excuse. */
	fake_dial_hang(st.loop);
	fake_clock_advance(st.loop, 11 * 1000);
	is_up(false);
	stage_done(&st);
}

static void probe_alone_finds_out(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	fake_clock_advance(st.loop, 300 * 1000);
	is_up(false);
	is_turned_away(&st);
	fake_clock_advance(st.loop, 1000);
	stage_probe(&st);
	is_up(true);
	is_let_in(&st);
	stage_done(&st);
}

/* Those who had dialled before: their end decides nothing. */
static void late_answers_change_nothing(void **arg)
{
	struct fake_peer *first;
	struct stage st;

	(void)arg;
	begin(&st);
	st.backend = fake_dial_connect(st.loop, 0);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_b(&st, STAGE_GREETING);
	first = st.client;
	st.client = NULL;
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	next_client(&st);
	stage_c(&st, "a LOGIN u2 pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	is_up(false);
	stage_b(&st, "a OK in\r\n");
	stage_sees(first, "a OK in\r\n", __LINE__);
	is_up(false);
	is_turned_away(&st);
	fake_peer_free(&first);
	stage_done(&st);
}

/* Before the first probe is through, logins may try. */
static void unknown_is_not_down(void **arg)
{
	struct err_detail why;
	struct stage st;

	(void)arg;
	stage_init(&st);
	fake_dial_hang(st.loop);
	metric_set(METRIC_BACKEND_UP, 0);
	assert_ok(proxy_new(st.loop, st.resolver, st.service, &st.opts,
	                    &st.proxy, &why));
	fake_run(st.loop);
	is_up(false);
	is_let_in(&st);
	is_up(true);
	stage_done(&st);
}

static void attempts_are_counted_while_it_is_down(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	for (int i = 0; i < 20; i++) {
		fake_written_clear(st.client);
		stage_c(&st, "a LOGIN u1 pw\r\n");
	}
	stage_sees_c(&st, UNAVAILABLE "* BYE Too many failed logins.\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_refusal_ends_the_dialling),
		cmocka_unit_test(probes_go_on_while_it_is_down),
		cmocka_unit_test(timeout_is_doubt),
		cmocka_unit_test(bad_greeting_is_doubt),
		cmocka_unit_test(doubts_share_a_probe),
		cmocka_unit_test(logins_outweigh_a_probe),
		cmocka_unit_test(probe_alone_finds_out),
		cmocka_unit_test(late_answers_change_nothing),
		cmocka_unit_test(unknown_is_not_down),
		cmocka_unit_test(attempts_are_counted_while_it_is_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
