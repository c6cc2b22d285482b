/* SPDX-License-Identifier: ISC */
/* door: who a client is, is what the header says, and nothing else of it. */
#include <string.h>

#include "base/err.h"
#include "net/network.h"
#include "stage/stage.h"
#include "unit/unit.h"

static struct network everyone;

static void begin(struct stage *st, struct proxy_listen *where)
{
	assert_int_equal(network_parse(STR("0.0.0.0/0"), &everyone), ERR_OK);
	*where = (struct proxy_listen){
		.host = "127.0.0.1",
		.port = 143,
		.proxy_protocol = true,
		.trusted = &everyone,
		.trusted_count = 1,
	};
	stage_init(st);
	st->opts.listen = where;
	st->opts.logins_pending_per_address = 1;
	stage_start(st);
}

/* come connects a client for whom the header says |from|. */
static struct fake_peer *come(struct stage *st, int rc, const char *from)
{
	struct fake_peer *peer;

	fake_preamble(st->loop, rc, from);
	peer = fake_accept(st->loop, 143);
	fake_run(st->loop);
	return peer;
}

static bool is_greeted(const struct fake_peer *peer)
{
	return str_starts(fake_written(peer), STR("* OK ["));
}

static void limits_are_of_the_header(void **arg)
{
	struct proxy_listen where;
	struct fake_peer *other;
	struct fake_peer *same;
	struct stage st;

	(void)arg;
	begin(&st, &where);
	st.client = come(&st, ERR_OK, "203.0.113.1");
	other = come(&st, ERR_OK, "203.0.113.2");
	assert_true(is_greeted(st.client) && is_greeted(other));
	assert_false(fake_is_closed(st.client));
	same = come(&st, ERR_OK, "203.0.113.1");
	assert_true(fake_is_closed(st.client)); /* the older one goes */
	assert_true(is_greeted(same));
	assert_false(fake_is_closed(other));
	fake_peer_free(&other);
	fake_peer_free(&same);
	stage_done(&st);
}

static void or_of_the_balancer_itself(void **arg)
{
	struct proxy_listen where;
	struct fake_peer *other;
	struct stage st;

	(void)arg;
	begin(&st, &where);
	st.client = come(&st, ERR_OK, NULL);
	assert_true(is_greeted(st.client));
	other = come(&st, ERR_OK, NULL);
	assert_true(fake_is_closed(st.client)); /* both from 192.0.2.7 */
	fake_peer_free(&other);
	stage_done(&st);
}

static void without_a_header_there_is_no_session(void **arg)
{
	static const int rows[] = { ERR_PARSE, ERR_PERMISSION, ERR_TIMEOUT,
		                    ERR_LIMIT, ERR_CLOSED };
	struct proxy_listen where;
	struct stage st;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&st, &where);
		st.client = come(&st, rows[i], "203.0.113.1");
		assert_true(fake_is_aborted(st.client));
		stage_sees_c(&st, "");
		stage_done(&st);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_of_the_header),
		cmocka_unit_test(or_of_the_balancer_itself),
		cmocka_unit_test(without_a_header_there_is_no_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
