/* SPDX-License-Identifier: ISC */
/* certificate: names, dates, and what is said about them. */
#include <string.h>
#include <time.h>

#include "net/certificate.h"
#include "testnet/testcert.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

#define DAY_S ((int64_t)86400)

static struct certificate read_one(const struct testcert *t)
{
	struct certificate c;

	assert_ok(certificate_read(testcert_pem(t), &c));
	return c;
}

static struct certificate of_names(const char *names)
{
	const struct testcert_opts opts = { .names = names };
	struct testcert *t = testcert_new(&opts);
	struct certificate c = read_one(t);

	testcert_free(&t);
	return c;
}

static void names_are_listed(void **state)
{
	(void)state;
	assert_string_equal(
		of_names("mail.example.org,192.0.2.1,2001:db8::1").names,
		"mail.example.org, 192.0.2.1, 2001:db8::1");
}

static void names_of_a_peer_are_made_safe(void **state)
{
	(void)state;
	assert_string_equal(of_names("a\"b\x1b[1m.example").names,
	                    "a\\x22b\\x1b[1m.example");
}

static void names_that_do_not_fit_are_dots(void **state)
{
	struct certificate c =
		of_names("a.mail.example.org,b.mail.example.org,"
	                 "c.mail.example.org,d.mail.example.org,"
	                 "e.mail.example.org,f.mail.example.org,"
	                 "g.mail.example.org,h.mail.example.org,"
	                 "i.mail.example.org,j.mail.example.org,"
	                 "k.mail.example.org,l.mail.example.org");
	const char *dots = strstr(c.names, ", ...");

	(void)state;
	assert_non_null(dots);
	assert_string_equal(dots - 3, "org, ...");
}

static void dates_are_warned_about(void **state)
{
	const struct testcert_opts authority = { .names = "CA", .is_ca = true };
	struct testcert *ca = testcert_new(&authority);
	const struct testcert_opts opts = { .issuer = ca, .names = "a" };
	struct testcert *leaf = testcert_new(&opts);
	struct certificate c = read_one(leaf);
	int64_t now = (int64_t)time(NULL) * 1000;
	struct err_detail detail;
	char day[16];

	(void)state;
	assert_in_range(now, c.not_before_ms, c.not_after_ms);
	assert_false(certificate_warning(&c, now, &detail));
	assert_true(certificate_warning(&c, c.not_after_ms + 1, &detail));
	assert_memory_equal(detail.text, "certificate expired on 2", 24);
	assert_true(certificate_warning(&c, c.not_before_ms - 1, &detail));
	assert_memory_equal(detail.text, "certificate is not valid before 2",
	                    33);
	c = read_one(ca);
	assert_true(certificate_warning(&c, now, &detail));
	assert_string_equal(detail.text, "certificate is self-signed");
	assert_string_equal(certificate_day(DAY_S * 1000 * 365, day),
	                    "1971-01-01");
	testcert_free(&leaf);
	testcert_free(&ca);
}

static void what_is_none(void **state)
{
	struct certificate c;

	(void)state;
	assert_int_equal(certificate_read(STR_NULL, &c), ERR_INVALID);
	assert_int_equal(certificate_read(STR("x"), &c), ERR_INVALID);
	assert_int_equal(
		certificate_read(STR("-----BEGIN CERTIFICATE-----\n"), &c),
		ERR_INVALID);
}

/* Either end's stream shows what the other has. */
static void certificate_of_a_peer(void **state)
{
	static const char *const versions[KINDS] = { "", "TLSv1.2", "TLSv1.3" };

	(void)state;
	for (enum kind kind = PLAIN; kind < KINDS; kind++) {
		struct certificate c;
		struct pair p;

		pair_open(&p, kind);
		assert_string_equal(stream_tls_version(p.client.stream),
		                    versions[kind]);
		assert_int_equal(stream_certificate(p.client.stream, &c),
		                 kind == PLAIN ? ERR_NOT_FOUND : ERR_OK);
		if (kind != PLAIN)
			assert_string_equal(c.names, "localhost, 127.0.0.1");
		assert_int_equal(stream_certificate(p.server.stream, &c),
		                 ERR_NOT_FOUND);
		pair_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_listed),
		cmocka_unit_test(names_of_a_peer_are_made_safe),
		cmocka_unit_test(names_that_do_not_fit_are_dots),
		cmocka_unit_test(dates_are_warned_about),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(certificate_of_a_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
