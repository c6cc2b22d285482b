/* SPDX-License-Identifier: ISC */
/* From the configuration to the backends that are dialled. */
#include <string.h>

#include "role/target.h"
#include "unit/unit.h"

/* A route that says no more than it must. */
#define ROUTE(of, to)                                            \
	{                                                        \
		.domain = (char[]){ of }, .url = (char[]){ to }, \
		.forward = (char[]){ "none" }, .verify = true    \
	}

static struct conf conf_with(struct conf_route *routes, size_t count)
{
	static char none[] = "none";

	return (struct conf){
		.backend_forward = none,
		.backend_verify = true,
		.routes = { routes, count },
	};
}

static size_t find(const struct targets *t, const char *user)
{
	return routes_find(&t->routes, str_of(user));
}

static void what_is_said_alike_is_one_backend(void **arg)
{
	struct conf_route routes[] = {
		ROUTE("a.example", "imap://mail.example:143"),
		ROUTE("b.example", "imap://MAIL.example"),
		ROUTE("c.example", "imap://mail.example:1143"),
		ROUTE("d.example", "imap://mail.example"),
		ROUTE("e.example", "imap://[::1]:143"),
	};
	struct conf c = conf_with(routes, 5);
	struct err_detail why;
	struct targets t;

	(void)arg;
	c.backend_url = (char[]){ "imap://mail.example" };
	routes[3].forward = (char[]){ "proxy-v2" };
	assert_ok(targets_load(&c, NULL, &t, &why));
	assert_int_equal(t.routes.target_count, 4);
	assert_int_equal(find(&t, "anna"), 0);
	assert_int_equal(find(&t, "anna@a.example"), 0);
	assert_int_equal(find(&t, "anna@b.example"), 0);
	assert_int_equal(find(&t, "anna@c.example"), 1);
	assert_int_equal(find(&t, "anna@d.example"), 2);
	assert_int_equal(find(&t, "anna@e.example"), 3);
	assert_string_equal(t.routes.targets[0].host, "mail.example");
	assert_int_equal(t.routes.targets[0].port, 143);
	assert_int_equal(t.routes.targets[1].port, 1143);
	assert_int_equal(t.routes.targets[2].forward, DIAL_FORWARD_PROXY_V2);
	assert_string_equal(t.routes.targets[3].host, "::1");
	targets_done(&t);
}

/* Another anchor, another name to verify, or none: not the same. */
static void what_is_believed_makes_another(void **arg)
{
	struct conf_route routes[] = {
		ROUTE("a.example", "imaps://mail.example"),
		ROUTE("b.example", "imaps://mail.example"),
		ROUTE("c.example", "imaps://mail.example"),
		ROUTE("d.example", "imap+starttls://mail.example:993"),
	};
	struct conf c = conf_with(routes, 4);
	struct err_detail why;
	struct targets t;

	(void)arg;
	routes[1].verify = false;
	routes[2].name = (char[]){ "other.example" };
	assert_ok(targets_load(&c, NULL, &t, &why));
	assert_int_equal(t.routes.target_count, 4);
	assert_int_equal(t.routes.fallback, ROUTES_NONE);
	assert_int_equal(find(&t, "anna"), ROUTES_NONE);
	for (size_t i = 0; i < 4; i++) {
		assert_non_null(t.routes.targets[i].tls);
		assert_int_equal(t.routes.targets[i].starttls, i == 3);
	}
	assert_string_equal(t.routes.targets[2].name, "other.example");
	targets_done(&t);
}

static void errors_name_the_route(void **arg)
{
	struct conf_route routes[] = {
		ROUTE("a.example", "imaps://mail.example"),
		ROUTE("b.example", "imaps://mail.example"),
	};
	struct conf c = conf_with(routes, 2);
	struct err_detail why;
	struct targets t;

	(void)arg;
	routes[1].ca = (char[]){ "/nowhere/ca.pem" };
	assert_int_equal(targets_load(&c, NULL, &t, &why), ERR_INVALID);
	assert_non_null(strstr(why.text, "routes, entry 2 (b.example): ca: "));
	assert_non_null(strstr(why.text, "/nowhere/ca.pem"));
	routes[1].ca = NULL;
	c.backend_url = (char[]){ "imaps://mail.example" };
	c.backend_ca = (char[]){ "/nowhere/ca.pem" };
	assert_int_equal(targets_load(&c, NULL, &t, &why), ERR_INVALID);
	assert_non_null(strstr(why.text, "backend.ca: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_alike_is_one_backend),
		cmocka_unit_test(what_is_believed_makes_another),
		cmocka_unit_test(errors_name_the_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
