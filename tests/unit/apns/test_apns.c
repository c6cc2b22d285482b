/* SPDX-License-Identifier: ISC */
/*
 * The transport against tests/e2e/apns_standin.py, a real HTTP/2 server, on
 * the real loop. Whatever happens, each job ends exactly once. Skipped where
 * Debian's python3-h2 is missing.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apns/apns.h"
#include "base/mem.h"
#include "net/stream.h"
#include "unit/unit.h"

enum { JOBS_MAX = 64, SKIPPED = 77 };

#define TOKEN "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"

static char dir[] = "/tmp/test_apns.XXXXXX";
static struct apns_opts opts = {
	.push_type = "background",
	.priority = 5,
	.expiration_s = 86400,
	.request_timeout_s = 6, /* the stand-in may wait for its turn */
	.retry_s = 900,
	.in_flight_max = 250,
};
static char url[64];
static char ca[64];
static struct credential credential;
static struct credential expired;
static pid_t standin;

/* --- the stand-in -----------------------------------------------------------
 */

static const char *in_dir(const char *name, char out[static 64])
{
	(void)snprintf(out, 64, "%s/%s", dir, name);
	return out;
}

static int run(char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

/* tell sends one command to the stand-in and returns its answer. */
static const char *tell(const char *command)
{
	static char answer[4096];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = 0;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control", dir);
	assert_true(fd >= 0);
	assert_ok(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	assert_int_equal(write(fd, command, strlen(command)), strlen(command));
	assert_int_equal(write(fd, "\n", 1), 1);
	while (memchr(answer, '\n', len) == NULL) {
		ssize_t n = read(fd, answer + len, sizeof(answer) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
	}
	answer[len] = '\0';
	assert_ok(close(fd));
	if (strstr(answer, "\"ok\": true") == NULL)
		fail_msg("%s: %s", command, answer);
	return answer;
}

/* start_standin runs it and reads where it listens. */
static int start_standin(void)
{
	char python[] = "/usr/bin/python3";
	char flag[] = "-B";
	char script[] = APNS_STANDIN;
	char certs[] = "--certs";
	char control[] = "--control";
	char record[] = "--record";
	char until_eof[] = "--until-eof";
	char control_path[64];
	char record_path[64];
	char *argv[] = { python,      flag,      script,       certs,
		         dir,         control,   control_path, record,
		         record_path, until_eof, NULL };
	posix_spawn_file_actions_t actions;
	char line[512];
	const char *at;
	size_t len;
	int out[2];
	int in[2];
	FILE *f;

	(void)in_dir("control", control_path);
	(void)in_dir("record", record_path);
	/* Our end of |in| lives as long as we do. */
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0 ||
	    posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	(void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	if (posix_spawn(&standin, python, &actions, NULL, argv, environ) != 0)
		return -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(out[1]);
	(void)close(in[0]);
	f = fdopen(out[0], "r");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		return -1;
	(void)fclose(f);
	at = strstr(line, "https://");
	if (at == NULL)
		return -1;
	len = strcspn(at, "\"");
	if (len >= sizeof(url))
		return -1;
	memcpy(url, at, len);
	opts.url = url;
	opts.ca_file = in_dir("ca.pem", ca);
	return 0;
}

/* --- a queue as small as can be --------------------------------------------
 */

struct job {
	int ended; /* final verdicts */
	int again; /* PUSH_AGAIN before */
	bool open; /* sent, not answered */
	struct push_result result;
};

struct house {
	struct loop *loop;
	struct resolver *resolver;
	struct apns *apns;
	struct push_transport *t;
	struct loop_timer *deadline;
	struct loop_timer *poke;
	const char *poke_command;
	struct job jobs[JOBS_MAX];
	size_t job_count;
	size_t settled;
	bool resend; /* what comes back as PUSH_AGAIN */
};

static void on_done(void *arg, uint64_t id, const struct push_result *result);

/* send_due sends what is neither open nor settled, as far as it goes. */
static void send_due(struct house *h)
{
	for (size_t i = 0; i < h->job_count; i++) {
		static const struct str inbox = { "INBOX", 5 };
		struct push_job job = {
			.registration_id = i,
			.account_id = STR("0715A26B-CA09"),
			.device_token = STR(TOKEN),
			.topic = str_of(credential.topic),
			.version = 2,
			.mailboxes = &inbox,
			.mailbox_count = 1,
		};

		if (h->jobs[i].open || h->jobs[i].ended > 0)
			continue;
		if (h->t->ops->send(h->t, &job, on_done, h) != 0)
			return;
		h->jobs[i].open = true;
	}
}

static void send_due_later(void *arg)
{
	send_due(arg);
}

static void on_done(void *arg, uint64_t id, const struct push_result *result)
{
	struct house *h = arg;
	struct job *j = &h->jobs[id];

	assert_true(j->open);
	assert_int_equal(j->ended, 0);
	j->open = false;
	if (result->verdict == PUSH_AGAIN && h->resend) {
		j->again++;
		loop_defer_cancel(h->loop, send_due_later, h);
		loop_defer(h->loop, send_due_later, h);
		return;
	}
	j->ended++;
	j->result = *result;
	if (++h->settled == h->job_count)
		loop_stop(h->loop);
}

static void on_ready(void *arg)
{
	send_due(arg);
}

static void on_deadline(void *arg)
{
	struct house *h = arg;

	fail_msg("%zu of %zu jobs ended in time", h->settled, h->job_count);
}

static void on_poke(void *arg)
{
	struct house *h = arg;

	(void)tell(h->poke_command);
}

/* poke has the stand-in told |command| after |delay_ms|. */
static void poke(struct house *h, uint64_t delay_ms, const char *command)
{
	h->poke_command = command;
	loop_timer_set(h->poke, delay_ms);
}

/* send_all sends |count| jobs and turns until all have ended. */
static void send_all(struct house *h, size_t count)
{
	assert_true(count <= JOBS_MAX);
	memset(h->jobs, 0, sizeof(h->jobs));
	h->job_count = count;
	h->settled = 0;
	loop_timer_set(h->deadline, 90 * 1000);
	send_due(h);
	loop_run(h->loop);
	loop_timer_cancel(h->deadline);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(h->jobs[i].ended, 1);
}

static void build_with(struct house *h, const struct credential *c)
{
	struct err_detail detail = { "" };

	h->loop = loop_new();
	h->resolver = resolver_new(h->loop);
	h->deadline = loop_timer_new(h->loop, on_deadline, h);
	h->poke = loop_timer_new(h->loop, on_poke, h);
	h->resend = true;
	if (apns_new(h->loop, h->resolver, &opts, c, &h->apns, &detail) != 0)
		fail_msg("%s", detail.text);
	h->t = apns_transport(h->apns);
	h->t->ops->on_ready(h->t, on_ready, h);
}

static void tear_down(struct house *h)
{
	apns_free(&h->apns);
	loop_timer_free(&h->deadline);
	loop_timer_free(&h->poke);
	resolver_free(&h->resolver);
	streams_finish(h->loop);
	loop_free(&h->loop);
}

static int build(void **state)
{
	struct house *h = xcalloc(1, sizeof(*h));

	(void)tell("{\"do\":\"refuse\",\"how\":\"off\"}");
	(void)tell("{\"do\":\"default\"}");
	(void)tell("{\"do\":\"settings\",\"max_streams\":1000}");
	(void)tell("{\"do\":\"forget\"}");
	build_with(h, &credential);
	*state = h;
	return 0;
}

static int demolish(void **state)
{
	struct house *h = *state;

	tear_down(h);
	free(h);
	return 0;
}

/* verdict_of the one job that |answer| is given to. */
static struct push_result verdict_of(struct house *h, const char *answer)
{
	(void)tell(answer);
	send_all(h, 1);
	return h->jobs[0].result;
}

static void accepted_is_delivered(void **state)
{
	struct house *h = *state;

	/* The stand-in checks headers and payload as Apple documents them. */
	send_all(h, 1);
	assert_int_equal(h->jobs[0].result.verdict, PUSH_DELIVERED);
	assert_int_equal(h->jobs[0].result.status, 200);
	assert_int_equal(h->jobs[0].again, 0);
	send_all(h, JOBS_MAX); /* on the same connection */
	for (size_t i = 0; i < JOBS_MAX; i++)
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
	assert_non_null(
		strstr(tell("{\"do\":\"status\"}"), "\"connection\": 1,"));
	assert_null(strstr(tell("{\"do\":\"status\"}"), "\"connection\": 2,"));
}

static void gone_is_unregistered(void **state)
{
	struct push_result r = verdict_of(
		*state, "{\"do\":\"answer\",\"status\":410,\"reason\":"
			"\"Unregistered\",\"timestamp\":1454948015990}");

	assert_int_equal(r.verdict, PUSH_UNREGISTER);
	assert_int_equal(r.status, 410);
	assert_string_equal(r.reason, "Unregistered");
	assert_true(r.gone_ms == 1454948015990);
}

static void gone_without_timestamp_means_when_sent(void **state)
{
	struct house *h = *state;
	int64_t before_ms = loop_wall_ms(h->loop);
	struct push_result r =
		verdict_of(h, "{\"do\":\"answer\",\"status\":410,\"reason\":"
	                      "\"ExpiredToken\",\"delay_ms\":500}");

	assert_int_equal(r.verdict, PUSH_UNREGISTER);
	assert_true(r.gone_ms >= before_ms);
	assert_true(r.gone_ms <= loop_wall_ms(h->loop) - 400);
}

static void error_goes_again_later(void **state)
{
	struct push_result r = verdict_of(
		*state, "{\"do\":\"answer\",\"status\":500,\"reason\":"
			"\"InternalServerError\"}");

	assert_int_equal(r.verdict, PUSH_LATER);
	assert_int_equal(r.status, 500);
	assert_string_equal(r.reason, "InternalServerError");
	assert_in_range(r.delay_ms, 720000, 1080000);
	r = verdict_of(*state, "{\"do\":\"answer\",\"status\":503,\"headers\":"
	                       "{\"retry-after\":\"7\"},\"body\":\"<html>\"}");
	assert_int_equal(r.verdict, PUSH_LATER);
	assert_string_equal(r.reason, "other");
	assert_int_equal(r.delay_ms, 7000);
}

static void verdict_comes_with_status_and_reason(void **state)
{
	static const struct {
		const char *answer;
		enum push_verdict verdict;
		int status;
		const char *reason;
	} cases[] = {
		{ "\"status\":400,\"reason\":\"BadDeviceToken\"", PUSH_SUSPECT,
		  400, "BadDeviceToken" },
		{ "\"status\":400,\"reason\":\"DeviceTokenNotForTopic\"",
		  PUSH_STALE, 400, "DeviceTokenNotForTopic" },
		{ "\"status\":400,\"reason\":\"TopicDisallowed\"", PUSH_HOLD,
		  400, "TopicDisallowed" },
		{ "\"status\":403,\"reason\":\"BadCertificate\"", PUSH_HOLD,
		  403, "BadCertificate" },
		{ "\"status\":413,\"reason\":\"PayloadTooLarge\"", PUSH_DROP,
		  413, "PayloadTooLarge" },
		{ "\"status\":429,\"reason\":\"TooManyRequests\"", PUSH_LATER,
		  429, "TooManyRequests" },
		{ "\"status\":400,\"reason\":\"BadPayload\"", PUSH_DROP, 400,
		  "other" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[128];
		struct push_result r;

		(void)snprintf(command, sizeof(command),
		               "{\"do\":\"answer\",%s}", cases[i].answer);
		r = verdict_of(*state, command);
		assert_int_equal(r.verdict, cases[i].verdict);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(r.reason, cases[i].reason);
	}
}

/* has_connection: the stand-in has one with that number now. */
static bool has_connection(int number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "\"connection\": %d,", number);
	return strstr(tell("{\"do\":\"status\"}"), text) != NULL;
}

/* newest_connection is the number of the one it took last. */
static int newest_connection(void)
{
	static const char key[] = "\"accepted\": ";
	const char *at = strstr(tell("{\"do\":\"status\"}"), key);
	struct str digits;
	uint64_t count = 0;

	assert_non_null(at);
	digits = str_of(at + sizeof(key) - 1);
	assert_ok(str_number(&digits, UINT32_MAX, &count));
	return (int)count;
}

static void over_connection_is_replaced(void **state)
{
	struct house *h = *state;
	struct push_result r;
	int before;

	send_all(h, 1);
	before = newest_connection();
	r = verdict_of(h, "{\"do\":\"answer\",\"status\":503,\"reason\":"
	                  "\"Shutdown\"}");
	assert_int_equal(r.verdict, PUSH_LATER);
	assert_int_equal(r.delay_ms, 0);
	send_all(h, 1);
	assert_int_equal(newest_connection(), before + 1);
	assert_false(has_connection(before));
}

static void three_errors_in_a_row_replace_the_connection(void **state)
{
	struct house *h = *state;
	int before;

	send_all(h, 1);
	before = newest_connection();
	(void)tell("{\"do\":\"answer\",\"status\":500,\"reason\":"
	           "\"InternalServerError\",\"count\":3}");
	send_all(h, 2);
	send_all(h, 1);
	assert_int_equal(newest_connection(), before);
	send_all(h, 1);
	assert_int_equal(h->jobs[0].result.verdict, PUSH_DELIVERED);
	assert_int_equal(newest_connection(), before + 1);
}

static void answer_before_the_body_counts(void **state)
{
	struct push_result r;

	(void)tell("{\"do\":\"settings\",\"initial_window\":0}");
	r = verdict_of(*state, "{\"do\":\"answer\",\"action\":\"early\","
	                       "\"status\":410,\"reason\":\"Unregistered\","
	                       "\"timestamp\":5}");
	(void)tell("{\"do\":\"settings\",\"initial_window\":65535}");
	assert_int_equal(r.verdict, PUSH_UNREGISTER);
	assert_int_equal(r.gone_ms, 5);
}

static void refused_connection_is_tried_until_it_is_there(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"refuse\",\"how\":\"tcp\"}");
	poke(h, 1200, "{\"do\":\"refuse\",\"how\":\"off\"}");
	send_all(h, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
		assert_int_equal(h->jobs[i].again, 0);
	}
}

static void goaway_below_what_is_in_flight_sends_it_again(void **state)
{
	struct house *h = *state;

	send_all(h, 1);
	(void)tell("{\"do\":\"answer\",\"action\":\"goaway\","
	           "\"last\":\"below\",\"reason\":\"Shutdown\"}");
	send_all(h, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
	assert_int_equal(h->jobs[0].again, 1);
}

static void goaway_lets_what_is_in_flight_be_answered(void **state)
{
	struct house *h = *state;

	send_all(h, 1); /* what comes is in flight at once */
	(void)tell("{\"do\":\"answer\",\"delay_ms\":2000,\"count\":8}");
	poke(h, 150, "{\"do\":\"goaway\",\"text\":\"going down\"}");
	send_all(h, 8);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
		assert_int_equal(h->jobs[i].again, 0);
	}
	send_all(h, 1); /* on a new connection */
	assert_int_equal(h->jobs[0].result.verdict, PUSH_DELIVERED);
}

static void lost_connection_sends_again(void **state)
{
	static const char *const ends[] = { "close", "drop", "reset" };
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char command[64];

		(void)snprintf(command, sizeof(command),
		               "{\"do\":\"answer\",\"action\":\"%s\"}",
		               ends[i]);
		(void)tell(command);
		send_all(h, 4);
		assert_int_equal(h->jobs[0].again, 1);
		assert_int_equal(h->jobs[0].result.verdict, PUSH_DELIVERED);
	}
}

static void reset_stream_sends_again(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"answer\",\"action\":\"rst\",\"code\":7}");
	(void)tell("{\"do\":\"answer\",\"action\":\"rst\",\"code\":2}");
	send_all(h, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(h->jobs[i].again, i < 2 ? 1 : 0);
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
	}
}

static void silence_ends_by_time_out(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"answer\",\"action\":\"silence\"}");
	h->resend = false;
	send_all(h, 2);
	assert_int_equal(h->jobs[0].result.verdict, PUSH_AGAIN);
	assert_int_equal(h->jobs[0].result.status, 0);
	assert_string_equal(h->jobs[0].result.reason, "");
	assert_int_equal(h->jobs[1].result.verdict, PUSH_DELIVERED);
}

static void dead_peer_is_found_out_and_replaced(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"answer\",\"action\":\"freeze\"}");
	send_all(h, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
}

static void one_stream_at_a_time_is_respected(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"settings\",\"max_streams\":1}");
	send_all(h, 20);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
		assert_int_equal(h->jobs[i].again, 0);
	}
}

static void shrunk_limit_sends_again_what_was_refused(void **state)
{
	struct house *h = *state;

	(void)tell("{\"do\":\"default\",\"delay_ms\":100}");
	poke(h, 50, "{\"do\":\"settings\",\"max_streams\":2}");
	send_all(h, 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
}

/* seen_requests is how many the stand-in has got since it runs. */
static uint64_t seen_requests(void)
{
	static const char key[] = "\"requests\": ";
	const char *at = strstr(tell("{\"do\":\"status\"}"), key);
	struct str digits;
	uint64_t count = 0;

	assert_non_null(at);
	digits = str_of(at + sizeof(key) - 1);
	assert_ok(str_number(&digits, UINT32_MAX, &count));
	return count;
}

static void on_enough(void *arg)
{
	struct house *h = arg;

	loop_stop(h->loop);
}

static void refused_certificate_loses_nothing(void **state)
{
	struct house *h = *state;
	uint64_t before = seen_requests();
	struct loop_timer *enough;

	tear_down(h);
	build_with(h, &expired);
	enough = loop_timer_new(h->loop, on_enough, h);
	memset(h->jobs, 0, sizeof(h->jobs));
	h->job_count = 1;
	h->settled = 0;
	send_due(h);
	loop_timer_set(enough, 1500);
	loop_run(h->loop);
	loop_timer_free(&enough);
	assert_false(h->jobs[0].open);
	assert_int_equal(h->jobs[0].ended, 0);
	assert_int_equal(seen_requests(), before);
}

static void renew(void *arg)
{
	struct house *h = arg;
	struct err_detail detail = { "" };

	if (apns_renew(h->apns, &opts, &credential, &detail) != 0)
		fail_msg("%s", detail.text);
}

/* renew_in renews the credential after |delay_ms|. */
static struct loop_timer *renew_in(struct house *h, uint64_t delay_ms)
{
	struct loop_timer *t = loop_timer_new(h->loop, renew, h);

	loop_timer_set(t, delay_ms);
	return t;
}

static void renewed_credential_ends_a_refusal(void **state)
{
	struct house *h = *state;
	struct loop_timer *t;
	uint64_t began_ms;

	tear_down(h);
	build_with(h, &expired);
	began_ms = loop_now_ms(h->loop);
	t = renew_in(h, 500);
	send_all(h, 3);
	loop_timer_free(&t);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
	assert_true(loop_now_ms(h->loop) - began_ms < 60000);
}

static void renewal_lets_what_is_in_flight_be_answered(void **state)
{
	struct house *h = *state;
	struct loop_timer *t;
	int before;

	send_all(h, 1); /* what comes is in flight at once */
	(void)tell("{\"do\":\"answer\",\"delay_ms\":2000,\"count\":8}");
	t = renew_in(h, 150);
	send_all(h, 8);
	loop_timer_free(&t);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(h->jobs[i].result.verdict, PUSH_DELIVERED);
		assert_int_equal(h->jobs[i].again, 0);
	}
	before = newest_connection();
	send_all(h, 1);
	assert_int_equal(newest_connection(), before + 1);
	assert_false(has_connection(before));
}

static void refusal_of_the_credential_before_is_none(void **state)
{
	struct house *h = *state;
	struct loop_timer *t;

	send_all(h, 1); /* what comes is in flight at once */
	(void)tell("{\"do\":\"answer\",\"delay_ms\":2000,\"status\":403,"
	           "\"reason\":\"BadCertificate\"}");
	t = renew_in(h, 150);
	send_all(h, 1);
	loop_timer_free(&t);
	assert_int_equal(h->jobs[0].again, 1);
	assert_int_equal(h->jobs[0].result.verdict, PUSH_DELIVERED);
}

static void bad_renewal_changes_nothing(void **state)
{
	struct house *h = *state;
	struct credential none = { 0 };
	struct err_detail detail = { "" };
	int before;

	send_all(h, 1);
	before = newest_connection();
	buf_init(&none.certificate, 64);
	assert_ok(buf_adds(&none.certificate, "no certificate"));
	assert_int_equal(apns_renew(h->apns, &opts, &none, &detail),
	                 ERR_INVALID);
	assert_true(detail.text[0] != '\0');
	credential_done(&none);
	send_all(h, 1);
	assert_int_equal(newest_connection(), before);
}

static void free_ends_what_is_open(void **state)
{
	struct house *h = *state;

	send_all(h, 1);
	(void)tell("{\"do\":\"default\",\"action\":\"silence\"}");
	h->resend = false;
	memset(h->jobs, 0, sizeof(h->jobs));
	h->job_count = 4;
	h->settled = 0;
	send_due(h);
	for (size_t i = 0; i < 4; i++)
		assert_true(h->jobs[i].open);
	apns_free(&h->apns);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(h->jobs[i].ended, 1);
		assert_int_equal(h->jobs[i].result.verdict, PUSH_AGAIN);
	}
}

static int load(const char *name, struct credential *c)
{
	struct err_detail detail = { "" };
	char certificate[64];
	char key[64];
	char file[32];

	(void)snprintf(file, sizeof(file), "%s.pem", name);
	(void)in_dir(file, certificate);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	(void)in_dir(file, key);
	if (credential_load(NULL, certificate, key, c, &detail) == 0)
		return 0;
	print_error("%s\n", detail.text);
	return -1;
}

static int open_group(void **state)
{
	char python[] = "/usr/bin/python3";
	char flag[] = "-B";
	char script[] = APNS_CERTS;
	char and_expired[] = "--expired";
	char *argv[] = { python, flag, script, dir, and_expired, NULL };

	(void)state;
	if (mkdtemp(dir) == NULL || run(argv) != 0 || start_standin() != 0)
		return -1;
	if (load("client", &credential) != 0 || load("expired", &expired) != 0)
		return -1;
	opts.topic = credential.topic;
	return 0;
}

static int close_group(void **state)
{
	char rm[] = "rm";
	char flag[] = "-rf";
	char *argv[] = { rm, flag, dir, NULL };

	(void)state;
	credential_done(&credential);
	credential_done(&expired);
	if (standin > 0) {
		(void)tell("{\"do\":\"stop\"}");
		(void)waitpid(standin, NULL, 0);
	}
	return run(argv);
}

static bool has_h2(void)
{
	char python[] = "/usr/bin/python3";
	char flag[] = "-c";
	char code[] = "import h2";
	char *argv[] = { python, flag, code, NULL };

	return run(argv) == 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, demolish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_is_delivered),
		TEST(gone_is_unregistered),
		TEST(gone_without_timestamp_means_when_sent),
		TEST(error_goes_again_later),
		TEST(verdict_comes_with_status_and_reason),
		TEST(over_connection_is_replaced),
		TEST(three_errors_in_a_row_replace_the_connection),
		TEST(answer_before_the_body_counts),
		TEST(refused_connection_is_tried_until_it_is_there),
		TEST(goaway_below_what_is_in_flight_sends_it_again),
		TEST(goaway_lets_what_is_in_flight_be_answered),
		TEST(lost_connection_sends_again),
		TEST(reset_stream_sends_again),
		TEST(silence_ends_by_time_out),
		TEST(dead_peer_is_found_out_and_replaced),
		TEST(one_stream_at_a_time_is_respected),
		TEST(shrunk_limit_sends_again_what_was_refused),
		TEST(refused_certificate_loses_nothing),
		TEST(renewed_credential_ends_a_refusal),
		TEST(renewal_lets_what_is_in_flight_be_answered),
		TEST(refusal_of_the_credential_before_is_none),
		TEST(bad_renewal_changes_nothing),
		TEST(free_ends_what_is_open),
	};

	if (!has_h2())
		return SKIPPED;
	return cmocka_run_group_tests_name("apns", tests, open_group,
	                                   close_group);
}
