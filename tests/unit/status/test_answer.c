/* SPDX-License-Identifier: ISC */
/* What is answered, by path and by what is counted. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/metric.h"
#include "status/answer.h"
#include "unit/unit.h"

#define NOW_MS ((int64_t)1800000000 * 1000)
#define LOOP_MS ((uint64_t)500 * 1000)

static const struct page_facts facts = {
	.now_ms = NOW_MS,
	.since_ms = NOW_MS - (int64_t)100000 * 1000,
	.loop_ms = LOOP_MS,
	.processes = 4,
};

struct answer {
	struct buf text;
	int status;
	struct str head;
	struct str body;
};

static void ask(enum request_method method, const char *path, struct answer *a)
{
	const struct request r = { method, str_of(path) };
	const char *end;

	buf_init(&a->text, ANSWER_MAX);
	assert_ok(answer_write(&r, &facts, &a->text));
	assert_ok(buf_append(&a->text, "", 1));
	assert_memory_equal(a->text.data, "HTTP/1.1 ", 9);
	a->status = (a->text.data[9] - '0') * 100 +
	            (a->text.data[10] - '0') * 10 + (a->text.data[11] - '0');
	end = strstr(a->text.data, "\r\n\r\n");
	assert_non_null(end);
	a->head = str_new(a->text.data, (size_t)(end - a->text.data) + 2);
	a->body = str_of(end + 4);
}

static bool has(struct str text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.data + i, part, len) == 0)
			return true;
	return false;
}

static const struct {
	enum request_method method;
	const char *path;
	int status;
} table[] = {
	{ REQUEST_GET, "/", 200 },          { REQUEST_GET, "/healthz", 200 },
	{ REQUEST_GET, "/metrics", 200 },   { REQUEST_GET, "/metrics/", 404 },
	{ REQUEST_GET, "/metric", 404 },    { REQUEST_GET, "", 404 },
	{ REQUEST_GET, "//", 404 },         { REQUEST_OTHER, "/", 405 },
	{ REQUEST_OTHER, "/nowhere", 404 }, { REQUEST_HEAD, "/nowhere", 404 },
	{ REQUEST_HEAD, "/metrics", 200 },
};

/* Each answer says how long it is, that it is not to be kept, and that nobody
 * may make more of it than it is; HEAD gets the same head and no body. */
static void table_of_paths(void **state)
{
	char length[64];
	struct answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ask(table[i].method, table[i].path, &a);
		assert_int_equal(a.status, table[i].status);
		assert_true(has(a.head, "\r\nCache-Control: no-store\r\n"));
		assert_true(has(a.head, "\r\nConnection: close\r\n"));
		assert_true(
			has(a.head, "\r\nX-Content-Type-Options: nosniff\r\n"));
		assert_true(has(a.head, "\r\nContent-Security-Policy: "
		                        "default-src 'none'; "));
		assert_true(has(a.head, "\r\nDate: Fri, 15 Jan 2027 08:00:00 "
		                        "GMT\r\n"));
		assert_int_equal(has(a.head, "\r\nAllow: GET, HEAD\r\n"),
		                 a.status == 405);
		snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n",
		         a.body.len);
		if (table[i].method == REQUEST_HEAD)
			assert_int_equal(a.body.len, 0);
		else
			assert_true(has(a.head, length));
		buf_reset(&a.text);
	}
}

static void refusals(void **state)
{
	static const struct {
		int rc;
		const char *line;
	} wanted[] = {
		{ ERR_PARSE, "HTTP/1.1 400 Bad Request\r\n" },
		{ ERR_LIMIT,
		  "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
		{ ERR_TIMEOUT, "HTTP/1.1 408 Request Timeout\r\n" },
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		buf_init(&out, ANSWER_MAX);
		assert_ok(answer_refuse(wanted[i].rc, &facts, &out));
		assert_true(str_starts(buf_str(&out), str_of(wanted[i].line)));
		buf_reset(&out);
	}
}

static void ready_is(int status, const char *line)
{
	struct answer a;

	ask(REQUEST_GET, "/readyz", &a);
	assert_int_equal(a.status, status);
	assert_str(a.body, line);
	buf_reset(&a.text);
}

/* A minute is what an idle backend may have been left alone. */
static void ready_while_a_backend_was_reached_and_nothing_ends(void **state)
{
	(void)state;
	ready_is(503, "not ready: no backend was reached yet\n");
	metric_set(METRIC_BACKEND_SEEN_MS, (int64_t)LOOP_MS - 60000);
	ready_is(200, "ready\n");
	metric_set(METRIC_BACKEND_SEEN_MS, (int64_t)LOOP_MS - 60001);
	ready_is(503, "not ready: no backend was reached within the last "
	              "minute\n");
	/* Another process read the clock after us. */
	metric_set(METRIC_BACKEND_SEEN_MS, (int64_t)LOOP_MS + 1);
	ready_is(200, "ready\n");
	metric_set(METRIC_BACKEND_SEEN_MS, (int64_t)LOOP_MS);
	ready_is(200, "ready\n");
	metric_set(METRIC_DRAINING, 1);
	ready_is(503, "not ready: imapbell ends, no client is accepted\n");
	metric_set(METRIC_DRAINING, 0);
}

struct families {
	struct str text;
	const char *last;
	size_t count;
};

/* on_sample wants each family to be told of once, before its samples. */
static void on_sample(void *arg, const struct metric_sample *sample)
{
	struct families *f = arg;
	char line[512];

	if (f->last != sample->family) {
		f->last = sample->family;
		f->count++;
		snprintf(line, sizeof(line), "# HELP %s %s\n# TYPE %s %s\n",
		         sample->family, sample->help, sample->family,
		         sample->type);
		assert_true(str_starts(f->text, str_of(line)));
		(void)str_take(&f->text, strlen(line));
	}
	snprintf(line, sizeof(line), "%s %s\n", sample->name, sample->text);
	assert_true(str_starts(f->text, str_of(line)));
	(void)str_take(&f->text, strlen(line));
}

static void metrics_are_all_there_are(void **state)
{
	struct families f = { .count = 0 };
	struct answer a;

	(void)state;
	metric_observe(METRIC_PUSH, 1234);
	metric_add_labelled(METRIC_PUSHES, "status=\"410\",reason=\"X\"", 1);
	ask(REQUEST_GET, "/metrics", &a);
	assert_true(has(a.head, "\r\nContent-Type: text/plain; version=0.0.4; "
	                        "charset=utf-8\r\n"));
	f.text = a.body;
	metric_show(NOW_MS, on_sample, &f);
	assert_int_equal(f.text.len, 0);
	assert_true(f.count > 20);
	assert_true(has(a.body, "imapbell_push_duration_seconds_sum 1.234\n"));
	assert_true(has(a.body, "imapbell_push_duration_seconds_bucket{"
	                        "le=\"2.5\"} 1\n"));
	assert_true(has(a.body, "imapbell_build_info{version=\""));
	buf_reset(&a.text);
}

static void page_shows(const char *part)
{
	struct answer a;

	ask(REQUEST_GET, "/", &a);
	if (!has(a.body, part))
		print_message("missing: %s\n", part);
	assert_true(has(a.body, part));
	assert_false(has(a.body, "<script"));
	assert_false(has(a.body, "<i>"));
	assert_false(has(a.body, "http://"));
	assert_false(has(a.body, "https://"));
	assert_true(a.body.len < 8192);
	buf_reset(&a.text);
}

static void page_for_people(void **state)
{
	(void)state;
	page_shows("<tr><th>Up<td>1 d 3 h\n");
	metric_set(METRIC_SESSIONS_RELAY, 7);
	metric_set(METRIC_SESSIONS_LOGIN, 2);
	page_shows("<td>7 logged in, 2 not yet\n");
	metric_set(METRIC_USERS_WATCHED, 5);
	page_shows("<td>5 watched, 0 unwatched\n");
	metric_set(METRIC_USERS_UNWATCHED, 1);
	page_shows("<td>5 watched, <b>1 unwatched</b>\n");
	metric_add_labelled(METRIC_PUSHES, "status=\"200\",reason=\"\"", 3);
	page_shows("410 X: 1");
	page_shows("200: 3");
	metric_add(METRIC_RELAYED_TO_CLIENT, 3 * 512);
	page_shows("1.5 KiB to clients, 0 B to the backend");
	metric_set(METRIC_QUEUE_DEPTH, 4);
	metric_set(METRIC_QUEUE_OLDEST, NOW_MS - 61000);
	page_shows("<td>4, the oldest for 1 min 1 s\n");
	page_shows("<tr><th>Credential<td>without an end\n");
	metric_set(METRIC_CREDENTIAL_EXPIRY, NOW_MS / 1000 + 40 * 86400);
	page_shows("<td>until 2027-02-24, 40 days\n");
	metric_set(METRIC_CREDENTIAL_EXPIRY, NOW_MS / 1000 + 3 * 86400);
	page_shows("<td><b>until 2027-01-18, 3 days</b>\n");
	metric_set(METRIC_CREDENTIAL_EXPIRY, NOW_MS / 1000 - 3 * 86400);
	page_shows("over for 3 days</b>\n");
	metric_set(METRIC_CREDENTIAL_EXPIRY, INT64_MAX); /* nonsense */
	page_shows("<tr><th>Credential<td>without an end\n");
	metric_add_labelled(METRIC_PROCESS_RESTARTS, "role=\"worker\"", 2);
	page_shows("<tr><th>Replaced<td>worker: 2\n");
	page_shows("<tr><th>Running<td>1 of 4\n");
	metric_add_labelled(METRIC_PUSHES, "reason=\"<i>\"", 1);
	page_shows("200: 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			ready_while_a_backend_was_reached_and_nothing_ends),
		cmocka_unit_test(table_of_paths),
		cmocka_unit_test(refusals),
		cmocka_unit_test(metrics_are_all_there_are),
		cmocka_unit_test(page_for_people),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
