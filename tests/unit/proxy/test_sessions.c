/* SPDX-License-Identifier: ISC */
/* How many there may be, who has to go, and the drain. */
#include <stdio.h>
#include <string.h>

#include "base/metric.h"
#include "proxy/session_state.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define TOO_MANY "* BYE Too many connections.\r\n"

enum { CLIENTS = 4 };

struct crowd {
	struct fake_peer *peers[CLIENTS];
};

static void come(struct stage *st, struct crowd *c, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		c->peers[i] = fake_accept(st->loop, 143);
		fake_run(st->loop);
		fake_written_clear(c->peers[i]);
	}
}

static void go(struct crowd *c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fake_peer_free(&c->peers[i]);
}

static void the_oldest_stranger_goes(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.sessions_max = 3;
	stage_start(&st);
	stage_login(&st); /* stays, though it is the oldest */
	come(&st, &c, 3);
	stage_sees(c.peers[0], TOO_MANY, __LINE__);
	assert_true(fake_is_closed(c.peers[0]));
	assert_false(fake_is_closed(c.peers[1]));
	assert_false(fake_is_closed(c.peers[2]));
	assert_false(fake_is_closed(st.client));
	go(&c, 3);
	stage_done(&st);
}

/* Logins that hang, or wait for their refusal, do not keep others out. */
static void where_all_log_in_the_oldest_goes(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.sessions_max = 2;
	stage_start(&st);
	come(&st, &c, 2);
	for (size_t i = 0; i < 2; i++) {
		fake_push(c.peers[i], STR("a LOGIN u1 pw\r\n"));
		fake_run(st.loop);
	}
	stage_dialled(&st);
	st.client = fake_accept(st.loop, 143);
	fake_run(st.loop);
	stage_sees(c.peers[0], TOO_MANY, __LINE__);
	assert_true(fake_is_closed(c.peers[0]));
	assert_true(fake_is_closed(st.backend));
	assert_false(fake_is_closed(c.peers[1]));
	assert_false(fake_is_closed(st.client));
	go(&c, 2);
	stage_done(&st);
}

static void refused_logins_go_too(void **arg)
{
	struct stage st;
	struct crowd c;

	(void)arg;
	stage_init(&st);
	st.opts.sessions_max = 1;
	stage_start(&st);
	stage_login_as(&st, "user", "L NO\r\n");
	stage_sees_c(&st, ""); /* not yet */
	come(&st, &c, 1);
	stage_sees_c(&st, TOO_MANY);
	assert_true(fake_is_closed(st.client));
	assert_false(fake_is_closed(c.peers[0]));
	go(&c, 1);
	stage_done(&st);
}

static void full_of_users_refuses(void **arg)
{
	struct fake_peer *late;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.sessions_max = 1;
	stage_start(&st);
	stage_login(&st);
	late = fake_accept(st.loop, 143);
	fake_run(st.loop);
	assert_true(fake_is_aborted(late) || fake_is_closed(late));
	assert_int_equal(fake_written(late).len, 0);
	assert_false(fake_is_closed(st.client));
	fake_peer_free(&late);
	stage_done(&st);
}

static void pending_logins_of_one_address(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.logins_pending_per_address = 2;
	stage_start(&st);
	come(&st, &c, 3);
	assert_true(fake_is_closed(c.peers[0]));
	assert_false(fake_is_closed(c.peers[1]));
	assert_false(fake_is_closed(c.peers[2]));
	go(&c, 3);
	stage_done(&st);
}

/* come_from lets a client connect from |address|. */
static struct fake_peer *come_from(struct stage *st, const char *address)
{
	struct fake_peer *peer = fake_accept(st->loop, 143);

	fake_set_address(peer, address);
	fake_run(st->loop);
	return peer;
}

static void addresses_are_counted_apart(void **arg)
{
	static const char *const others[CLIENTS] = {
		"192.0.2.8:1", "192.0.2.77:1", "[2001:db8::7]:1", "192.0.2.7:4"
	};
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.logins_pending_per_address = 2;
	stage_start(&st);
	st.client = come_from(&st, "192.0.2.7:3");
	for (size_t i = 0; i < CLIENTS; i++)
		c.peers[i] = come_from(&st, others[i]);
	assert_false(fake_is_closed(st.client));
	go(&c, 1);
	c.peers[0] = come_from(&st, "192.0.2.7:1");
	assert_true(fake_is_closed(st.client));
	for (size_t i = 0; i < CLIENTS; i++)
		assert_false(fake_is_closed(c.peers[i]));
	go(&c, CLIENTS);
	stage_done(&st);
}

/* Who has one IPv6 address has 2^64 of them. */
static void network_of_ipv6_is_one(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.logins_pending_per_address = 1;
	stage_start(&st);
	st.client = come_from(&st, "[2001:db8:1:2::1]:1");
	c.peers[0] = come_from(&st, "[2001:db8:1:3::1]:1");
	assert_false(fake_is_closed(st.client));
	c.peers[1] = come_from(&st, "[2001:db8:1:2:ffff::2]:1");
	assert_true(fake_is_closed(st.client));
	assert_false(fake_is_closed(c.peers[0]));
	go(&c, 2);
	stage_done(&st);
}

/* A client that is gone before we look has no address. */
static void who_is_gone_already_costs_nobody_his_place(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.logins_pending_per_address = 2;
	stage_start(&st);
	st.client = come_from(&st, "192.0.2.7:3");
	for (size_t i = 0; i < CLIENTS; i++)
		c.peers[i] = come_from(&st, "");
	assert_false(fake_is_closed(st.client));
	assert_true(fake_is_closed(c.peers[0]));
	assert_false(fake_is_closed(c.peers[CLIENTS - 1]));
	go(&c, CLIENTS);
	stage_done(&st);
}

/* Whoever is about to log in is not thrown out for a stranger. */
static void a_login_under_way_stays(void **arg)
{
	struct crowd c;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.logins_pending_per_address = 1;
	stage_start(&st);
	come(&st, &c, 1);
	fake_push(c.peers[0], STR("a LOGIN u1 pw\r\n"));
	fake_run(st.loop);
	st.client = fake_accept(st.loop, 143);
	fake_run(st.loop);
	assert_true(fake_is_closed(st.client));
	assert_false(fake_is_closed(c.peers[0]));
	go(&c, 1);
	stage_done(&st);
}

static void on_empty(void *arg)
{
	int *calls = arg;

	(*calls)++;
}

static void drain_lets_users_finish(void **arg)
{
	struct crowd c;
	struct stage st;
	int empty = 0;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	come(&st, &c, 1);
	proxy_drain(st.proxy, 25000, on_empty, &empty);
	fake_run(st.loop);
	stage_sees(c.peers[0], "* BYE Server is going down.\r\n", __LINE__);
	assert_null(fake_accept(st.loop, 143));
	assert_false(fake_is_closed(st.client));
	assert_int_equal(empty, 0);
	stage_c(&st, "a LOGOUT\r\n");
	stage_b(&st, "* BYE\r\na OK\r\n");
	fake_push_eof(st.backend);
	fake_run(st.loop);
	assert_int_equal(empty, 1);
	fake_clock_advance(st.loop, 60000);
	assert_int_equal(empty, 1);
	go(&c, 1);
	stage_done(&st);
}

static void drain_ends_with_bye(void **arg)
{
	struct stage st;
	int empty = 0;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	proxy_drain(st.proxy, 25000, on_empty, &empty);
	fake_clock_advance(st.loop, 24999);
	stage_sees_c(&st, "");
	fake_clock_advance(st.loop, 1);
	stage_sees_c(&st, "* BYE Server is going down.\r\n");
	assert_int_equal(empty, 1);
	stage_done(&st);
}

static void drain_says_nothing_inside_a_literal(void **arg)
{
	struct stage st;
	int empty = 0;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	stage_b(&st, "* 1 FETCH (BODY[] {9}\r\nabc");
	proxy_drain(st.proxy, 10, on_empty, &empty);
	fake_clock_advance(st.loop, 10);
	stage_sees_c(&st, "* 1 FETCH (BODY[] {9}\r\nabc");
	assert_true(fake_is_closed(st.client));
	assert_int_equal(empty, 1);
	stage_done(&st);
}

static void drain_of_nobody_is_empty(void **arg)
{
	struct stage st;
	int empty = 0;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	proxy_drain(st.proxy, 10, on_empty, &empty);
	assert_int_equal(empty, 0); /* a later turn */
	fake_run(st.loop);
	assert_int_equal(empty, 1);
	stage_done(&st);
}

static int64_t in(enum session_state state)
{
	return metric_get((enum metric)(METRIC_SESSIONS_OPENING + (int)state));
}

static void counted_in_their_state(void **arg)
{
	int64_t accepted = metric_get(METRIC_SESSIONS_ACCEPTED);
	int64_t to_client = metric_get(METRIC_RELAYED_TO_CLIENT);
	int64_t to_server = metric_get(METRIC_RELAYED_TO_SERVER);
	struct stage st;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_client(&st);
	assert_int_equal(in(SESSION_PRELOGIN), 1);
	assert_int_equal(in(SESSION_OPENING), 0);
	fake_push(st.client, STR("a LOGIN user pw\r\n"));
	fake_run(st.loop);
	assert_int_equal(in(SESSION_PRELOGIN), 0);
	assert_int_equal(in(SESSION_LOGIN), 1);
	stage_dialled(&st);
	stage_b(&st, "a OK\r\n");
	assert_int_equal(in(SESSION_LOGIN), 0);
	assert_int_equal(in(SESSION_RELAY), 1);
	to_client += strlen("a OK\r\n"); /* the first that is relayed */
	stage_c(&st, "b NOOP\r\n");
	stage_b(&st, "b OK noop\r\n");
	assert_int_equal(metric_get(METRIC_RELAYED_TO_SERVER) - to_server,
	                 strlen("b NOOP\r\n"));
	assert_int_equal(metric_get(METRIC_RELAYED_TO_CLIENT) - to_client,
	                 strlen("b OK noop\r\n"));
	assert_int_equal(metric_get(METRIC_SESSIONS_ACCEPTED) - accepted, 1);
	fake_push_eof(st.client);
	fake_run(st.loop);
	assert_int_equal(in(SESSION_RELAY), 0);
	stage_done(&st);
}

static void note_label(void *arg, const struct metric_sample *sample)
{
	char(*text)[64] = arg;
	size_t found = 0;

	while (text[found][0] != '\0')
		found++;
	if (strcmp(sample->family, "imapbell_sessions") == 0)
		snprintf(text[found], sizeof(text[found]), "%s", sample->name);
}

/* The label of a state is its name. */
static void labels_are_the_names_of_states(void **arg)
{
	char text[SESSION_STATES][64] = { { '\0' } };
	char wanted[64];

	(void)arg;
	metric_show(0, note_label, text);
	for (int i = 0; i < SESSION_CLOSING; i++) {
		snprintf(wanted, sizeof(wanted),
		         "imapbell_sessions{state=\"%s\"}",
		         session_state_name((enum session_state)i));
		assert_string_equal(text[i], wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_stranger_goes),
		cmocka_unit_test(where_all_log_in_the_oldest_goes),
		cmocka_unit_test(refused_logins_go_too),
		cmocka_unit_test(full_of_users_refuses),
		cmocka_unit_test(pending_logins_of_one_address),
		cmocka_unit_test(addresses_are_counted_apart),
		cmocka_unit_test(network_of_ipv6_is_one),
		cmocka_unit_test(who_is_gone_already_costs_nobody_his_place),
		cmocka_unit_test(a_login_under_way_stays),
		cmocka_unit_test(counted_in_their_state),
		cmocka_unit_test(labels_are_the_names_of_states),
		cmocka_unit_test(drain_lets_users_finish),
		cmocka_unit_test(drain_ends_with_bye),
		cmocka_unit_test(drain_says_nothing_inside_a_literal),
		cmocka_unit_test(drain_of_nobody_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
