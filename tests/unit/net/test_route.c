/* SPDX-License-Identifier: ISC */
/* From the name of a user to the server. */
#include "net/route.h"
#include "unit/unit.h"

enum { MAIN, NORTH, SOUTH };

static const struct dial_target targets[] = {
	[MAIN] = { .host = "main" },
	[NORTH] = { .host = "north" },
	[SOUTH] = { .host = "south" },
};

static const struct route list[] = {
	{ "north.example", NORTH },
	{ "South.Example", SOUTH },
	{ "other.example", NORTH },
};

static const struct routes all = {
	.targets = targets,
	.target_count = 3,
	.list = list,
	.count = 3,
	.fallback = MAIN,
};

static void domain_decides_without_case(void **arg)
{
	static const struct {
		const char *user;
		size_t target;
	} users[] = {
		{ "anna@north.example", NORTH },
		{ "anna@NORTH.example", NORTH },
		{ "Anna@south.example", SOUTH },
		{ "anna@other.example", NORTH },
		/* The last @, and all that is behind it. */
		{ "anna@south.example@north.example", NORTH },
		{ "anna@north.example@elsewhere", MAIN },
		{ "anna@x.north.example", MAIN },
		{ "anna@north.example.", MAIN },
		{ "anna@north.exampl", MAIN },
		{ "anna@north.example*master", MAIN },
		{ "@north.example", NORTH },
		{ "north.example", MAIN },
		{ "anna@", MAIN },
		{ "anna", MAIN },
		{ "", MAIN },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		assert_int_equal(routes_find(&all, str_of(users[i].user)),
		                 users[i].target);
}

static void names_without_a_domain_have_the_default(void **arg)
{
	struct routes r = all;

	(void)arg;
	r.default_domain = "north.EXAMPLE";
	assert_int_equal(routes_find(&r, STR("anna")), NORTH);
	assert_int_equal(routes_find(&r, STR("anna@")), MAIN);
	assert_int_equal(routes_find(&r, STR("")), MAIN);
	assert_int_equal(routes_find(&r, STR("anna@south.example")), SOUTH);
	r.default_domain = "elsewhere";
	assert_int_equal(routes_find(&r, STR("anna")), MAIN);
}

static void without_a_fallback_there_is_none(void **arg)
{
	struct routes r = all;

	(void)arg;
	r.fallback = ROUTES_NONE;
	assert_true(routes_need_names(&r));
	assert_int_equal(routes_find(&r, STR("anna")), ROUTES_NONE);
	assert_int_equal(routes_find(&r, STR("anna@elsewhere")), ROUTES_NONE);
	assert_int_equal(routes_find(&r, STR("anna@south.example")), SOUTH);
}

/* One server for all, whatever the routes say. */
static void names_are_needed_to_choose(void **arg)
{
	struct routes r = all;

	(void)arg;
	assert_true(routes_need_names(&r));
	r.target_count = 1;
	assert_false(routes_need_names(&r));
	r.fallback = ROUTES_NONE;
	assert_true(routes_need_names(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domain_decides_without_case),
		cmocka_unit_test(names_without_a_domain_have_the_default),
		cmocka_unit_test(without_a_fallback_there_is_none),
		cmocka_unit_test(names_are_needed_to_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
