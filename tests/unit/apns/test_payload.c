/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "apns/payload.h"
#include "base/err.h"
#include "unit/unit.h"

#define ACCOUNT "0715A26B-CA09-4730-A419-793000CA982E"
#define INBOX_HASH "7e33429f656f1e6e9d79b29c3f82c57e"

static struct push_job job_of(uint32_t version, const struct str *mailboxes,
                              size_t count)
{
	return (struct push_job){
		.account_id = STR(ACCOUNT),
		.version = version,
		.mailboxes = mailboxes,
		.mailbox_count = count,
	};
}

/* assert_payload wants |job| to become |text|. */
static void assert_payload(const struct push_job *job, const char *text)
{
	struct buf out;

	buf_init(&out, APNS_PAYLOAD_MAX);
	assert_ok(apns_payload_render(job, &out));
	assert_str(buf_str(&out), text);
	buf_reset(&out);
}

static void inbox_alone_has_no_m(void **state)
{
	const struct str names[] = { STR("INBOX"), STR("inbox") };
	struct push_job job = job_of(2, names, 2);

	(void)state;
	assert_payload(&job, "{\"aps\":{\"account-id\":\"" ACCOUNT "\"}}");
	job.mailbox_count = 1;
	assert_payload(&job, "{\"aps\":{\"account-id\":\"" ACCOUNT "\"}}");
	job.mailbox_count = 0;
	assert_payload(&job, "{\"aps\":{\"account-id\":\"" ACCOUNT "\"}}");
}

static void version_1_never_has_m(void **state)
{
	const struct str names[] = { STR("Notes") };
	struct push_job job = job_of(1, names, 1);

	(void)state;
	assert_payload(&job, "{\"aps\":{\"account-id\":\"" ACCOUNT "\"}}");
}

/* The vectors of Apple's client. */
static void other_mailboxes_are_listed_by_hash(void **state)
{
	static const struct {
		const char *name;
		const char *hash;
	} cases[] = {
		{ "Notes", "f4c6f851b00d5518bf888815de279aba" },
		{ "Sent Messages", "579db7eb2f78b2cb1f7f367cff50c7a7" },
		{ "Entw&APw-rfe", "6935862f74f620598b6b2549c202aafa" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str name = str_of(cases[i].name);
		struct push_job job = job_of(2, &name, 1);
		char text[256];

		(void)snprintf(text, sizeof(text),
		               "{\"aps\":{\"account-id\":\"%s\",\"m\":"
		               "[\"%s\"]}}",
		               ACCOUNT, cases[i].hash);
		assert_payload(&job, text);
	}
}

static void inbox_is_listed_among_others_and_first(void **state)
{
	const struct str names[] = { STR("Notes"), STR("Inbox"),
		                     STR("Sent Messages") };
	struct push_job job = job_of(3, names, 3);

	(void)state;
	assert_payload(&job, "{\"aps\":{\"account-id\":\"" ACCOUNT
	                     "\",\"m\":[\"" INBOX_HASH
	                     "\",\"f4c6f851b00d5518bf888815de279aba\","
	                     "\"579db7eb2f78b2cb1f7f367cff50c7a7\"]}}");
}

static void account_id_is_escaped_to_printable_ascii(void **state)
{
	struct push_job job = job_of(2, NULL, 0);

	(void)state;
	job.account_id = STR("a\"b\\c/\n\x7f\xc3\xbc\xe2\x80\xa8"
	                     "\xf0\x9f\x94\x94");
	assert_payload(&job, "{\"aps\":{\"account-id\":\"a\\\"b\\\\c/\\u000a"
	                     "\\u007f\\u00fc\\u2028\\ud83d\\udd14\"}}");
	job.account_id = str_new("\0", 1);
	assert_payload(&job, "{\"aps\":{\"account-id\":\"\\u0000\"}}");
	job.account_id = STR("");
	assert_payload(&job, "{\"aps\":{\"account-id\":\"\"}}");
}

static void account_id_that_is_no_utf8_is_refused(void **state)
{
	static const char *const bad[] = { "\xff",         "a\x80",
		                           "\xc3",         "\xc0\xaf",
		                           "\xe0\x80\xaf", "\xed\xa0\x80",
		                           "\xf0\x9f\x94", "\xf4\x90\x80\x80",
		                           "\xc3(" };
	struct push_job job = job_of(2, NULL, 0);
	struct buf out;

	(void)state;
	buf_init(&out, APNS_PAYLOAD_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		job.account_id = str_of(bad[i]);
		assert_int_equal(apns_payload_render(&job, &out), ERR_PARSE);
		buf_clear(&out);
	}
	buf_reset(&out);
}

/* rendered_len is the length for |count| mailboxes and an account-id of |len|
 * bytes; the text must be whole. */
static size_t rendered_len(size_t count, size_t len)
{
	static struct str names[300];
	static char text[300][8];
	static char account[APNS_PAYLOAD_MAX];
	struct push_job job = job_of(2, names, count);
	struct buf out;
	size_t result;

	for (size_t i = 0; i < 300; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "f%zu", i);
		names[i] = str_of(i == 299 ? "INBOX" : text[i]);
	}
	memset(account, 'a', sizeof(account));
	job.account_id = str_new(account, len);
	buf_init(&out, APNS_PAYLOAD_MAX);
	assert_ok(apns_payload_render(&job, &out));
	assert_true(str_ends(buf_str(&out), STR("}}")));
	if (count == 300 && len < 3000)
		assert_non_null(memmem(out.data, out.len,
		                       "\"m\":[\"" INBOX_HASH "\",", 40));
	result = out.len;
	buf_reset(&out);
	return result;
}

static void more_than_fits_is_cut_between_hashes(void **state)
{
	size_t base = strlen("{\"aps\":{\"account-id\":\"\"}}");

	(void)state;
	assert_int_equal(rendered_len(64, 36), base + 36 + 6 + 64 * 35);
	/* All room but less than one hash is used. */
	for (size_t len = 0; len < 200; len++)
		assert_in_range(rendered_len(300, len), APNS_PAYLOAD_MAX - 36,
		                APNS_PAYLOAD_MAX);
	/* No room for any: no "m" at all. */
	for (size_t len = APNS_PAYLOAD_MAX - base - 50;
	     len <= APNS_PAYLOAD_MAX - base; len++)
		assert_in_range(rendered_len(300, len), base + len,
		                APNS_PAYLOAD_MAX);
	assert_int_equal(rendered_len(300, APNS_PAYLOAD_MAX - base - 20),
	                 APNS_PAYLOAD_MAX - 20);
}

static void account_id_that_does_not_fit_is_refused(void **state)
{
	static char account[APNS_PAYLOAD_MAX];
	struct push_job job = job_of(2, NULL, 0);
	size_t base = strlen("{\"aps\":{\"account-id\":\"\"}}");
	struct buf out;

	(void)state;
	memset(account, 'a', sizeof(account));
	buf_init(&out, APNS_PAYLOAD_MAX);
	for (size_t len = APNS_PAYLOAD_MAX - base + 1; len <= sizeof(account);
	     len++) {
		job.account_id = str_new(account, len);
		assert_int_equal(apns_payload_render(&job, &out), ERR_LIMIT);
		buf_clear(&out);
	}
	buf_reset(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inbox_alone_has_no_m),
		cmocka_unit_test(version_1_never_has_m),
		cmocka_unit_test(other_mailboxes_are_listed_by_hash),
		cmocka_unit_test(inbox_is_listed_among_others_and_first),
		cmocka_unit_test(account_id_is_escaped_to_printable_ascii),
		cmocka_unit_test(account_id_that_is_no_utf8_is_refused),
		cmocka_unit_test(more_than_fits_is_cut_between_hashes),
		cmocka_unit_test(account_id_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
