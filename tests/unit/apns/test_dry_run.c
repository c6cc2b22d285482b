/* SPDX-License-Identifier: ISC */
/* The transport without APNs: what it settles by itself. Standard error is a
 * file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apns/apns.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "unit/unit.h"

#define TOKEN "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"

static const struct apns_opts dry = {
	.url = "dry-run",
	.push_type = "background",
	.priority = 5,
	.expiration_s = 86400,
	.request_timeout_s = 15,
	.retry_s = 900,
	.in_flight_max = 250,
};

static char text[1 << 16];
static int file;
static int real_stderr;

/* logged returns what was written since the test began. */
static const char *logged(void)
{
	ssize_t len = pread(file, text, sizeof(text) - 1, 0);

	assert_true(len >= 0);
	text[len] = '\0';
	return text;
}

struct house {
	struct loop *loop;
	struct apns *apns;
	struct push_transport *t;
	struct push_result last;
	uint64_t ids[8];
	size_t ended;
	bool again; /* send once more from inside the verdict */
};

static const struct str names[] = { { "INBOX", 5 }, { "Notes", 5 } };

static struct push_job job_of(uint64_t id)
{
	return (struct push_job){
		.registration_id = id,
		.account_id = STR("0715A26B\n\xe2\x80\xa8"),
		.device_token = STR(TOKEN),
		.topic = STR("com.example.mail"),
		.version = 2,
		.mailboxes = names,
		.mailbox_count = 2,
	};
}

static void on_done(void *arg, uint64_t id, const struct push_result *result);

static int send_job(struct house *h, const struct push_job *job)
{
	return h->t->ops->send(h->t, job, on_done, h);
}

static void on_done(void *arg, uint64_t id, const struct push_result *result)
{
	struct house *h = arg;

	assert_true(h->ended < 8);
	h->ids[h->ended++] = id;
	h->last = *result;
	if (h->again) {
		struct push_job job = job_of(id + 1);

		h->again = false;
		(void)send_job(h, &job);
	}
}

static int build(void **state)
{
	struct house *h = xcalloc(1, sizeof(*h));

	if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0 ||
	    dup2(file, STDERR_FILENO) < 0)
		return -1;
	h->loop = loop_new();
	if (apns_new(h->loop, NULL, &dry, NULL, &h->apns, NULL) != 0)
		return -1;
	h->t = apns_transport(h->apns);
	*state = h;
	return 0;
}

static int demolish(void **state)
{
	struct house *h = *state;

	apns_free(&h->apns);
	loop_free(&h->loop);
	free(h);
	return dup2(real_stderr, STDERR_FILENO) < 0 ? -1 : 0;
}

static void push_is_logged_and_delivered(void **state)
{
	struct house *h = *state;
	struct push_job job = job_of(7);

	assert_ok(send_job(h, &job));
	assert_int_equal(h->ended, 0); /* on a later turn */
	fake_run(h->loop);
	assert_int_equal(h->ended, 1);
	assert_int_equal(h->ids[0], 7);
	assert_int_equal(h->last.verdict, PUSH_DELIVERED);
	assert_int_equal(h->last.status, 200);
	assert_string_equal(h->last.reason, "");
	assert_non_null(strstr(
		logged(), "apns dry-run push topic=com.example.mail "
			  "token=00fc13ad payload={\"aps\":{\"account-id\":"
			  "\"0715A26B\\u000a\\u2028\",\"m\":["
			  "\"7e33429f656f1e6e9d79b29c3f82c57e\","
			  "\"f4c6f851b00d5518bf888815de279aba\"]}}\n"));
	assert_null(strstr(logged(), "00fc13adf"));
}

static void verdicts_come_in_order_also_of_those_sent_meanwhile(void **state)
{
	struct house *h = *state;

	h->again = true;
	for (uint64_t id = 1; id <= 5; id += 2) {
		struct push_job job = job_of(id);

		assert_ok(send_job(h, &job));
	}
	fake_run(h->loop);
	assert_int_equal(h->ended, 4);
	assert_int_equal(h->ids[0], 1);
	assert_int_equal(h->ids[1], 3);
	assert_int_equal(h->ids[2], 5);
	assert_int_equal(h->ids[3], 2);
}

static void account_id_that_is_no_utf8_is_dropped(void **state)
{
	struct house *h = *state;
	struct push_job job = job_of(7);

	job.account_id = STR("\xff");
	assert_ok(send_job(h, &job));
	assert_int_equal(h->ended, 0);
	fake_run(h->loop);
	assert_int_equal(h->ended, 1);
	assert_int_equal(h->last.verdict, PUSH_DROP);
	assert_int_equal(h->last.status, 0);
	assert_string_equal(h->last.reason, "other");
	assert_non_null(strstr(logged(), "warn apns push cannot be sent "
	                                 "token=00fc13ad registration=7: "
	                                 "account-id is malformed\n"));
}

static void free_tells_what_was_not_told(void **state)
{
	struct house *h = *state;
	struct push_job job = job_of(7);

	assert_ok(send_job(h, &job));
	h->again = true; /* refused: it is closing */
	apns_free(&h->apns);
	assert_null(h->apns);
	assert_int_equal(h->ended, 1);
	assert_int_equal(h->last.verdict, PUSH_DELIVERED);
	fake_run(h->loop);
	assert_int_equal(h->ended, 1);
}

static void real_url_needs_a_credential(void **state)
{
	struct house *h = *state;
	struct err_detail detail = { "" };
	struct apns_opts opts = dry;
	struct apns *a = NULL;

	opts.url = "https://api.push.apple.com";
	assert_int_equal(apns_new(h->loop, NULL, &opts, NULL, &a, &detail),
	                 ERR_INVALID);
	assert_non_null(strstr(detail.text, "certificate"));
	opts.url = "api.push.apple.com";
	assert_int_equal(apns_new(h->loop, NULL, &opts, NULL, &a, &detail),
	                 ERR_INVALID);
	assert_non_null(strstr(detail.text, "https://"));
	assert_null(a);
}

static int open_file(void **state)
{
	FILE *f = tmpfile();

	(void)state;
	if (f == NULL)
		return -1;
	file = dup(fileno(f));
	real_stderr = dup(STDERR_FILENO);
	(void)fclose(f);
	return file < 0 || real_stderr < 0 ? -1 : 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, demolish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(push_is_logged_and_delivered),
		TEST(verdicts_come_in_order_also_of_those_sent_meanwhile),
		TEST(account_id_that_is_no_utf8_is_dropped),
		TEST(free_tells_what_was_not_told),
		TEST(real_url_needs_a_credential),
	};

	return cmocka_run_group_tests_name("dry_run", tests, open_file, NULL);
}
