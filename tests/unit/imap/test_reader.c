/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/reader.h"
#include "unit/unit.h"

static const char *const responses[] = {
	"* OK hi\r\n",
	"* 1 FETCH (BODY[] {18}\r\n* OK [ALERT] x\r\n\r\n UID 1)\r\n",
	"* LIST () \"/\" {0}\r\n\r\n",
	"+ go\n",
	"a1 OK done\r\n",
};

/* feed gives |in| to the reader and wants of each response that it is the
 * next one. */
static void feed(struct imap_reader *r, struct str in, size_t *found)
{
	struct str response;

	while (imap_reader_next(r, &in, &response) == ERR_OK) {
		assert_in_range(*found, 0, COUNT(responses) - 1);
		assert_str(response, responses[*found]);
		(*found)++;
	}
	assert_int_equal(in.len, 0);
}

static void responses_are_whole_for_any_reads(void **state)
{
	struct buf all;

	(void)state;
	buf_init(&all, 1000);
	for (size_t i = 0; i < COUNT(responses); i++)
		assert_ok(buf_adds(&all, responses[i]));
	for (size_t chunk = 1; chunk <= all.len; chunk++) {
		struct str in = buf_str(&all);
		struct imap_reader r;
		size_t found = 0;

		imap_reader_init(&r, 100);
		while (in.len > 0)
			feed(&r, str_take(&in, chunk), &found);
		assert_int_equal(found, COUNT(responses));
		imap_reader_done(&r);
	}
	buf_reset(&all);
}

static void response_of_one_line_is_not_copied(void **state)
{
	const struct str all = STR("* OK hi\r\n* OK ho\r\n");
	struct str in = all;
	struct str response;
	struct imap_reader r;

	(void)state;
	imap_reader_init(&r, 100);
	assert_ok(imap_reader_next(&r, &in, &response));
	assert_ptr_equal(response.data, all.data);
	assert_ok(imap_reader_next(&r, &in, &response));
	assert_ptr_equal(response.data, all.data + 9);
	assert_int_equal(imap_reader_next(&r, &in, &response), ERR_MORE);
	assert_null(r.whole.data);
	imap_reader_done(&r);
}

/* What is refused, with a ceiling of 20 octets. */
static const struct {
	const char *rule;
	const char *in;
	int rc;
} failures[] = {
	{ "a long line", "* 1234567890123456789\r\n", ERR_LIMIT },
	{ "a literal that cannot fit, before it comes", "* X {21}\r\n",
	  ERR_LIMIT },
	{ "a literal that does not fit with its line",
	  "* X {15}\r\n123456789012345", ERR_LIMIT },
	{ "a size that is none", "* X {9999999999999999999}\r\n", ERR_PARSE },
};

static void failure_is_final(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct str in = str_of(failures[i].in);
		struct str more = STR("* OK\r\n");
		struct str response;
		struct imap_reader r;

		imap_reader_init(&r, 20);
		assert_int_equal(imap_reader_next(&r, &in, &response),
		                 failures[i].rc);
		assert_int_equal(imap_reader_next(&r, &more, &response),
		                 failures[i].rc);
		assert_null(r.whole.data);
		assert_null(r.framer.held.data);
		imap_reader_done(&r);
	}
}

static void longest_response_just_fits(void **state)
{
	struct str in = STR("* 123456789012345678\r\n* X {2}\r\n12 45678\r\n");
	struct str response;
	struct imap_reader r;

	(void)state;
	imap_reader_init(&r, 22);
	assert_ok(imap_reader_next(&r, &in, &response));
	assert_int_equal(response.len, 22);
	assert_ok(imap_reader_next(&r, &in, &response));
	assert_str(response, "* X {2}\r\n12 45678\r\n");
	imap_reader_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_whole_for_any_reads),
		cmocka_unit_test(response_of_one_line_is_not_copied),
		cmocka_unit_test(failure_is_final),
		cmocka_unit_test(longest_response_just_fits),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
