/* SPDX-License-Identifier: ISC */
/* One command, one ceiling. */
#include "base/err.h"
#include "proxy/collect.h"
#include "unit/unit.h"

/* add feeds |bytes| through a framer and returns the last result. */
static enum collect_result add(struct collect *c, struct imap_framer *f,
                               const char *bytes)
{
	enum collect_result result = COLLECT_MORE;
	struct str in = str_of(bytes);
	struct imap_frame frame;

	while (imap_framer_next(f, &in, &frame) == 0)
		result = collect_add(c, &frame);
	return result;
}

static void literals_are_kept_in_place(void **arg)
{
	struct imap_framer f;
	struct collect c;

	(void)arg;
	imap_framer_init(&f, IMAP_CLIENT);
	collect_init(&c, 100);
	assert_int_equal(add(&c, &f, "a LOGIN {2}\r\n"), COLLECT_GO_AHEAD);
	assert_int_equal(add(&c, &f, "u1 {2+}\r\n"), COLLECT_MORE);
	assert_int_equal(add(&c, &f, "p\n\r\n"), COLLECT_WHOLE);
	assert_str(buf_str(&c.text), "a LOGIN {2}\r\nu1 {2+}\r\np\n\r\n");
	collect_done(&c);
	imap_framer_done(&f);
}

/* Of what is answered by its tag nobody needs the rest. */
static void the_front_alone_may_be_kept(void **arg)
{
	struct imap_framer f;
	struct collect c;

	(void)arg;
	imap_framer_init(&f, IMAP_CLIENT);
	collect_init(&c, 50);
	c.front_only = true;
	assert_int_equal(add(&c, &f, "a ID ({2}\r\n"), COLLECT_GO_AHEAD);
	assert_int_equal(add(&c, &f, "k1 {3+}\r\nabc)\r\n"), COLLECT_WHOLE);
	assert_str(buf_str(&c.text), "a ID ({2}\r\n");
	collect_done(&c);
	collect_init(&c, 30);
	c.front_only = true;
	assert_int_equal(add(&c, &f, "a ID ({9+}\r\n123456789 {9}\r\n"),
	                 COLLECT_REFUSED);
	collect_done(&c);
	imap_framer_done(&f);
}

static void a_literal_that_cannot_fit_is_not_waited_for(void **arg)
{
	struct imap_framer f;
	struct collect c;

	(void)arg;
	imap_framer_init(&f, IMAP_CLIENT);
	collect_init(&c, 100);
	assert_int_equal(add(&c, &f, "a LOGIN {90}\r\n"), COLLECT_REFUSED);
	collect_done(&c);
	imap_framer_done(&f);
}

static void the_whole_is_bounded(void **arg)
{
	struct imap_framer f;
	struct collect c;

	(void)arg;
	imap_framer_init(&f, IMAP_CLIENT);
	collect_init(&c, 20);
	assert_int_equal(add(&c, &f, "a ID (a b c d e f g h i)\r\n"),
	                 COLLECT_REFUSED);
	collect_done(&c);
	imap_framer_done(&f);
}

static void so_is_the_number_of_literals(void **arg)
{
	struct imap_framer f;
	struct collect c;

	(void)arg;
	imap_framer_init(&f, IMAP_CLIENT);
	collect_init(&c, 100000);
	(void)add(&c, &f, "a ID ({0+}\r\n");
	for (int i = 1; i < COLLECT_LITERALS_MAX; i++)
		assert_int_equal(add(&c, &f, " {0+}\r\n"), COLLECT_MORE);
	assert_int_equal(add(&c, &f, " {1}\r\n"), COLLECT_REFUSED);
	collect_done(&c);
	imap_framer_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_are_kept_in_place),
		cmocka_unit_test(the_front_alone_may_be_kept),
		cmocka_unit_test(a_literal_that_cannot_fit_is_not_waited_for),
		cmocka_unit_test(the_whole_is_bounded),
		cmocka_unit_test(so_is_the_number_of_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
