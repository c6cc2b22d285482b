/* SPDX-License-Identifier: ISC */
/* files - which are read for whom. */
#include "role/files.h"
#include "unit/unit.h"

/* A reload says them all to a process at once: those of backends, which may be
 * many and take a restart, are not among them. */
static void servers_are_of_the_start(void **state)
{
	static char there[] = "/etc/passwd";
	struct conf_route route = { .ca = there };
	struct conf c = {
		.apns_ca = there,
		.routes = { .list = &route, .count = 1 },
	};
	struct files f = { 0 };

	(void)state;
	files_gather(&c, FILES_PUSH, &f);
	assert_int_equal(f.count, 1);
	files_done(&f);
	c.apns_ca = NULL;
	files_gather(&c, FILES_PUSH | FILES_CLIENTS, &f);
	assert_int_equal(f.count, 0);
	files_gather(&c, FILES_SERVERS, &f);
	assert_int_equal(f.count, 1);
	files_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_of_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
