/* SPDX-License-Identifier: ISC */
/* stream: how connections end, from either side, and what they leave behind in
 * memory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/stream.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

/* try_write does not care: the connection is about to be found lost. */
static void try_write(struct end *e, struct str bytes)
{
	int rc = stream_write(e->stream, bytes);

	assert_true(rc == ERR_OK || rc == ERR_CLOSED);
}

/* The peer's end is not ours: answers still go out. */
static void half_close_rule(struct pair *p, enum kind kind)
{
	(void)kind;
	end_write(&p->client, STR("a1 LOGOUT\r\n"));
	stream_close(&p->client.stream);
	testnet_run(&p->net, end_has_eof, &p->server);
	assert_str(buf_str(&p->server.got), "a1 LOGOUT\r\n");
	assert_int_equal(p->server.errors, 0);
	end_write(&p->server, STR("* BYE\r\n"));
	stream_close(&p->server.stream);
	testnet_spin(&p->net, 20);
	assert_int_equal(p->server.eofs, 1);
	assert_int_equal(p->server.errors, 0);
}

static void half_close(void **state)
{
	(void)state;
	pair_each(half_close_rule);
}

static void close_sends_all_rule(struct pair *p, enum kind kind)
{
	static char block[STREAM_OUTPUT_MAX];

	(void)kind;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 3 + i / 257);
	end_write(&p->client, str_new(block, sizeof(block)));
	stream_close(&p->client.stream);
	testnet_run(&p->net, end_has_eof, &p->server);
	assert_int_equal(p->server.got.len, sizeof(block));
	assert_memory_equal(p->server.got.data, block, sizeof(block));
}

static void close_sends_all(void **state)
{
	(void)state;
	pair_each(close_sends_all_rule);
}

/*
 * The peer keeps talking while we close. A bare close() would answer with RST,
 * and the BYE be lost.
 */
static void last_words_rule(struct pair *p, enum kind kind)
{
	static char block[64 * 1024];

	(void)kind;
	stream_pause(p->server.stream);
	end_write(&p->client, str_new(block, sizeof(block)));
	testnet_spin(&p->net, 20);
	end_write(&p->server, STR("* BYE too much\r\n"));
	stream_close(&p->server.stream);
	testnet_spin(&p->net, 5);
	end_write(&p->client, str_new(block, sizeof(block)));
	testnet_run(&p->net, end_has_eof, &p->client);
	assert_str(buf_str(&p->client.got), "* BYE too much\r\n");
	assert_int_equal(p->client.errors, 0);
}

static void last_words_arrive(void **state)
{
	(void)state;
	pair_each(last_words_rule);
}

static void abort_rule(struct pair *p, enum kind kind)
{
	(void)kind;
	end_write(&p->client, STR("x"));
	stream_abort(&p->client.stream);
	assert_null(p->client.stream);
	testnet_run(&p->net, end_has_error, &p->server);
	assert_int_equal(p->server.rc, ERR_CLOSED);
	assert_string_equal(p->server.why, "Connection reset by peer");
	assert_int_equal(p->server.eofs, 0);
	assert_int_equal(stream_write(p->server.stream, STR("y")), ERR_CLOSED);
	testnet_spin(&p->net, 10);
	assert_int_equal(p->server.errors, 1);
	stream_close(&p->server.stream);
}

static void abort_resets(void **state)
{
	(void)state;
	pair_each(abort_rule);
}

/* What the peer said before it left is heard, although writing fails. */
static void words_before_the_loss_rule(struct pair *p, enum kind kind)
{
	(void)kind;
	stream_pause(p->client.stream);
	testnet_spin(&p->net, 2);
	end_write(&p->server, STR("* BYE\r\n"));
	stream_close(&p->server.stream);
	testnet_spin(&p->net, 5);
	streams_finish(p->net.loop); /* the server's end is gone for good */
	for (int i = 0; i < 3; i++) {
		try_write(&p->client, STR("a1 NOOP\r\n"));
		testnet_spin(&p->net, 5);
	}
	assert_int_equal(p->client.errors, 0);
	assert_int_equal(stream_write(p->client.stream, STR("x")), ERR_CLOSED);
	stream_resume(p->client.stream);
	testnet_run(&p->net, end_has_error, &p->client);
	assert_str(buf_str(&p->client.got), "* BYE\r\n");
	assert_int_equal(p->client.rc, ERR_CLOSED);
	assert_int_equal(p->client.eofs, 0);
}

static void words_before_the_loss(void **state)
{
	(void)state;
	pair_each(words_before_the_loss_rule);
}

/* After the peer's end nobody reads; a lost way out must show all the same. */
static void loss_after_eof(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, PLAIN);
	stream_close(&p.client.stream);
	testnet_run(&p.net, end_has_eof, &p.server);
	streams_finish(p.net.loop);
	while (p.server.errors == 0) {
		try_write(&p.server, STR("x"));
		testnet_spin(&p.net, 5);
	}
	assert_int_equal(p.server.rc, ERR_CLOSED);
	pair_done(&p);
}

static bool server_gone(void *arg)
{
	const struct pair *p = arg;

	return p->server.stream == NULL;
}

static bool client_ended(void *arg)
{
	const struct pair *p = arg;

	return p->client.eofs > 0 || p->client.errors > 0;
}

/* An owner may close inside any event. */
static void close_inside_events(void **state)
{
	struct pair p;

	(void)state;
	for (enum kind kind = PLAIN; kind < KINDS; kind++) {
		for (int where = 0; where < 5; where++) {
			pair_init(&p, kind);
			p.server.close_in_open = where == 0;
			p.server.close_in_data = where == 1;
			p.server.abort_in_data = where == 2;
			p.server.close_in_eof = where == 3;
			p.server.close_in_error = where == 4;
			end_write(&p.client, STR("hello"));
			testnet_run(&p.net, end_is_open, &p.client);
			if (where >= 3)
				end_wait(&p.server, 5);
			if (where == 3)
				stream_close(&p.client.stream);
			if (where == 4)
				stream_abort(&p.client.stream);
			testnet_run(&p.net, server_gone, &p);
			if (where < 3)
				testnet_run(&p.net, client_ended, &p);
			pair_done(&p);
		}
	}
}

static void close_before_open(void **state)
{
	struct pair p;

	(void)state;
	for (enum kind kind = PLAIN; kind < KINDS; kind++) {
		pair_init(&p, kind);
		stream_close(&p.client.stream);
		testnet_run(&p.net, kind == PLAIN ? end_has_eof : end_has_error,
		            &p.server);
		if (kind != PLAIN)
			assert_string_equal(
				p.server.why,
				"connection closed in the tls handshake");
		pair_done(&p);
	}
}

/* --- memory --------------------------------------------------------------- */

struct range {
	char *from;
	char *to;
};

/* hex reads a number of /proc/self/maps. */
static uintptr_t hex(const char **at)
{
	static const char digits[] = "0123456789abcdef";
	uintptr_t value = 0;
	const char *digit;

	while ((digit = strchr(digits, **at)) != NULL && **at != '\0') {
		value = value * 16 + (uintptr_t)(digit - digits);
		(*at)++;
	}
	return value;
}

/* writable lists the heap and everything like it. */
static size_t writable(struct range *ranges, size_t max)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	size_t count = 0;

	assert_non_null(maps);
	while (count < max && fgets(line, sizeof(line), maps) != NULL) {
		const char *at = line;

		ranges[count].from = (char *)hex(&at);
		at++;
		ranges[count].to = (char *)hex(&at);
		if (strncmp(at, " rw", 3) == 0 && strstr(at, "[v") == NULL &&
		    strstr(at, "[stack]") == NULL)
			count++;
	}
	assert_ok(fclose(maps));
	return count;
}

/* occurrences counts |word| in memory, in |mine| excepted. */
static size_t occurrences(const char *mine, size_t len)
{
	static struct range ranges[512];
	size_t count = writable(ranges, 512);
	size_t hits = 0;

	for (size_t i = 0; i < count; i++) {
		const char *at = ranges[i].from;
		size_t left = (size_t)(ranges[i].to - at);

		while ((at = memmem(at, left, mine, len)) != NULL) {
			if (at != mine)
				hits++;
			at++;
			left = (size_t)(ranges[i].to - at);
		}
	}
	return hits;
}

/* A password that passed through is nowhere afterwards, in neither end. */
static void no_trace_rule(struct pair *p, enum kind kind)
{
	char password[64];
	size_t len;

	(void)kind;
	/* Never in one piece in the program itself. */
	len = (size_t)snprintf(password, sizeof(password), "corr%s%d-staple%d",
	                       "ect-horse-", (int)kind + 4711, (int)kind);
	end_write(&p->client, str_new(password, len));
	assert_true(occurrences(password, len) > 0);
	end_wait(&p->server, len);
	buf_reset(&p->server.got);
	assert_int_equal(occurrences(password, len), 0);

	/* Nor after it was kept, and delivered again. */
	p->server.take_max = 1;
	end_write(&p->client, str_new(password, len));
	end_wait(&p->server, 1);
	assert_true(occurrences(password + 1, len - 1) > 0);
	p->server.take_max = 0;
	stream_resume(p->server.stream);
	end_wait(&p->server, len);
	buf_reset(&p->server.got);
	assert_int_equal(occurrences(password, len), 0);
	assert_int_equal(occurrences(password + 1, len - 1), 0);

	/* Nor when the connection ends before it was taken. */
	stream_pause(p->server.stream);
	end_write(&p->client, str_new(password, len));
	stream_abort(&p->client.stream);
	stream_abort(&p->server.stream);
	testnet_spin(&p->net, 3);
	assert_int_equal(occurrences(password, len), 0);
	mem_wipe(password, sizeof(password));
}

static void no_trace_of_a_password(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* red zones and quarantine are not ours */
#endif
	pair_each(no_trace_rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_close),
		cmocka_unit_test(close_sends_all),
		cmocka_unit_test(last_words_arrive),
		cmocka_unit_test(abort_resets),
		cmocka_unit_test(words_before_the_loss),
		cmocka_unit_test(loss_after_eof),
		cmocka_unit_test(close_inside_events),
		cmocka_unit_test(close_before_open),
		cmocka_unit_test(no_trace_of_a_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
