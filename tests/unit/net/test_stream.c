/* SPDX-License-Identifier: ISC */
/* stream on real sockets: bytes in, bytes out, back pressure. Each rule plain,
 * with TLS 1.2 and with TLS 1.3. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/stream.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

/* fill makes a text in which no part looks like another. */
static void fill(char *block, size_t len)
{
	for (size_t i = 0; i < len; i++)
		block[i] = (char)(i * 7 + i / 251);
}

static void echo_rule(struct pair *p, enum kind kind)
{
	assert_int_equal(stream_is_tls(p->server.stream), kind != PLAIN);
	p->server.echo = true;
	end_write(&p->client, STR("hel"));
	end_write(&p->client, STR("lo"));
	assert_int_equal(stream_pending(p->client.stream), 5);
	end_wait(&p->client, 5);
	assert_str(buf_str(&p->client.got), "hello");
	/* What was written in one turn came as one; on_open was before. */
	assert_int_equal(p->server.events, 2);
	stream_close(&p->client.stream);
	assert_null(p->client.stream);
	testnet_run(&p->net, end_has_eof, &p->server);
}

static void echo(void **state)
{
	(void)state;
	pair_each(echo_rule);
}

static void events_never_come_from_inside_a_call(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, PLAIN);
	assert_int_equal(p.client.opens, 0);
	end_write(&p.client, STR("x"));
	stream_resume(p.client.stream);
	assert_int_equal(p.client.events, 0);
	end_wait(&p.server, 1);
	pair_done(&p);
}

static void both_addresses(void **state)
{
	struct address peer;
	struct address local;
	struct address same;
	struct pair p;
	int fds[2];

	(void)state;
	pair_open(&p, PLAIN);
	stream_addresses(p.server.stream, &peer, &local);
	assert_int_equal(peer.family, AF_INET);
	assert_int_equal(peer.bytes[0], 127);
	stream_addresses(p.client.stream, &same, &peer);
	assert_memory_equal(&same, &local, sizeof(local));
	pair_done(&p);

	testnet_init(&p.net);
	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	end_init(&p.server, &p.net, stream_accepted(p.net.loop, fds[0], NULL));
	stream_addresses(p.server.stream, &peer, &local);
	assert_int_equal(peer.family, AF_UNIX);
	end_done(&p.server);
	assert_ok(close(fds[1]));
	testnet_done(&p.net);
}

static void every_split_rule(struct pair *p, enum kind kind)
{
	const struct str text = STR("a1 LOGIN joe {7+}\r\nhunter2\r\n");

	(void)kind;
	for (size_t at = 1; at < text.len; at++) {
		end_write(&p->client, str_sub(text, 0, at));
		end_wait(&p->server, at);
		end_write(&p->client, str_sub(text, at, text.len));
		end_wait(&p->server, text.len);
		assert_true(str_eq(buf_str(&p->server.got), text));
		buf_reset(&p->server.got);
	}
	for (size_t at = 0; at < text.len; at++) {
		end_write(&p->client, str_sub(text, at, 1));
		testnet_spin(&p->net, 2);
	}
	end_wait(&p->server, text.len);
	assert_true(str_eq(buf_str(&p->server.got), text));
}

static void every_split(void **state)
{
	(void)state;
	pair_each(every_split_rule);
}

static void partial_consume_rule(struct pair *p, enum kind kind)
{
	(void)kind;
	p->server.take_max = 3;
	end_write(&p->client, STR("abcdefgh"));
	end_wait(&p->server, 3);
	/* It paused itself: neither the rest nor news come, nor the end. */
	end_write(&p->client, STR("ij"));
	stream_close(&p->client.stream);
	testnet_spin(&p->net, 20);
	assert_str(buf_str(&p->server.got), "abc");
	assert_int_equal(p->server.eofs, 0);
	stream_resume(p->server.stream);
	assert_str(buf_str(&p->server.got), "abc");
	end_wait(&p->server, 6);
	assert_int_equal(p->server.eofs, 0);
	/* The rest comes with what follows it, then the end. */
	p->server.take_max = 0;
	stream_resume(p->server.stream);
	testnet_run(&p->net, end_has_eof, &p->server);
	assert_str(buf_str(&p->server.got), "abcdefghij");
}

static void partial_consume(void **state)
{
	(void)state;
	pair_each(partial_consume_rule);
}

static void pause_rule(struct pair *p, enum kind kind)
{
	(void)kind;
	stream_pause(p->server.stream);
	end_write(&p->client, STR("abc"));
	testnet_spin(&p->net, 20);
	assert_int_equal(p->server.got.len, 0);
	stream_resume(p->server.stream);
	end_wait(&p->server, 3);
}

static void pause_and_resume(void **state)
{
	(void)state;
	pair_each(pause_rule);
}

/* Many records at once: what TLS read ahead makes no descriptor readable. */
static void large_rule(struct pair *p, enum kind kind)
{
	static char block[STREAM_OUTPUT_MAX];

	(void)kind;
	fill(block, sizeof(block));
	end_write(&p->client, str_new(block, sizeof(block)));
	end_wait(&p->server, sizeof(block));
	assert_memory_equal(p->server.got.data, block, sizeof(block));
	assert_int_equal(stream_pending(p->client.stream), 0);
}

static void large_transfer(void **state)
{
	(void)state;
	pair_each(large_rule);
}

static void slow_owner_rule(struct pair *p, enum kind kind)
{
	static char block[100 * 1000];

	(void)kind;
	fill(block, sizeof(block));
	p->server.take_max = 999;
	p->server.resume_later = true;
	end_write(&p->client, str_new(block, sizeof(block)));
	end_wait(&p->server, sizeof(block));
	assert_memory_equal(p->server.got.data, block, sizeof(block));
}

static void slow_owner(void **state)
{
	(void)state;
	pair_each(slow_owner_rule);
}

static bool has_drained(void *arg)
{
	const struct end *e = arg;

	return e->drains > 0;
}

/* stuff writes until |e|'s peer, who does not read, makes it wait. */
static size_t stuff(struct end *e)
{
	static char block[STREAM_OUTPUT_MAX];
	size_t total = 0;

	fill(block, sizeof(block));
	while (stream_pending(e->stream) <= STREAM_HIGH_WATER) {
		end_write(e, str_new(block, 256 * 1024));
		total += 256 * 1024;
		testnet_spin(e->net, 20);
	}
	return total;
}

static void back_pressure_rule(struct pair *p, enum kind kind)
{
	static char block[STREAM_OUTPUT_MAX];
	size_t total;
	size_t room;

	(void)kind;
	stream_pause(p->server.stream);
	testnet_spin(&p->net, 2);
	total = stuff(&p->client);
	assert_int_equal(p->client.drains, 0);
	/* Above the ceiling nothing is taken. */
	room = STREAM_OUTPUT_MAX - stream_pending(p->client.stream);
	assert_int_equal(
		stream_write(p->client.stream, str_new(block, room + 1)),
		ERR_LIMIT);
	assert_int_equal(stream_pending(p->client.stream),
	                 STREAM_OUTPUT_MAX - room);
	end_write(&p->client, str_new(block, room));
	stream_resume(p->server.stream);
	testnet_run(&p->net, has_drained, &p->client);
	assert_true(stream_pending(p->client.stream) <= STREAM_LOW_WATER);
	end_wait(&p->server, total + room);
	assert_int_equal(p->client.drains, 1);
}

static void back_pressure(void **state)
{
	(void)state;
	pair_each(back_pressure_rule);
}

/* One stream with much to say does not keep another waiting. */
static void fair_turns(void **state)
{
	static char block[STREAM_OUTPUT_MAX];
	struct pair p;
	struct end a;
	struct end b;
	int fds[2];

	(void)state;
	pair_open(&p, PLAIN);
	testnet_pair(fds);
	end_init(&a, &p.net, stream_accepted(p.net.loop, fds[0], NULL));
	end_init(&b, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	testnet_run(&p.net, end_is_open, &b);
	end_write(&p.client, str_new(block, sizeof(block)));
	end_write(&a, STR("x"));
	end_wait(&b, 1);
	assert_true(p.server.got.len < sizeof(block));
	end_wait(&p.server, sizeof(block));
	end_done(&a);
	end_done(&b);
	pair_done(&p);
}

static void take_fd(void **state)
{
	struct pair p;
	char byte;
	int fd;

	(void)state;
	pair_open(&p, TLS13);
	assert_int_equal(stream_take_fd(&p.server.stream), -1);
	assert_non_null(p.server.stream);
	pair_done(&p);

	pair_open(&p, PLAIN);
	end_write(&p.server, STR("x"));
	assert_int_equal(stream_take_fd(&p.server.stream), -1);
	end_wait(&p.client, 1);
	fd = stream_take_fd(&p.server.stream);
	assert_null(p.server.stream);
	assert_true(fd >= 0);
	testnet_spin(&p.net, 2);
	assert_int_equal(send(fd, "y", 1, 0), 1);
	end_wait(&p.client, 2);
	end_write(&p.client, STR("z"));
	testnet_spin(&p.net, 2);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_ok(close(fd));
	pair_done(&p);
}

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_ok(getsockopt(fd, level, name, &value, &len));
	return value;
}

static void has_patience(int fd, int idle_s, int every_s, int dead_ms)
{
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
#ifdef TCP_KEEPIDLE
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle_s);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), every_s);
#endif
#ifdef TCP_USER_TIMEOUT
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), dead_ms);
#endif
}

/* Clients may be phones in a tunnel; servers, ours and Apple's, are not. */
static void who_is_silent_is_asked_for_a_sign(void **state)
{
	struct testnet net;
	struct end server, client;
	int fds[2];

	(void)state;
	testnet_init(&net);
	testnet_pair(fds);
	end_init(&server, &net, stream_accepted(net.loop, fds[0], NULL));
	end_init(&client, &net, stream_connected(net.loop, fds[1], NULL, NULL));
	has_patience(fds[0], 300, 60, 300000);
	has_patience(fds[1], 60, 15, 120000);
	end_done(&server);
	end_done(&client);
	testnet_done(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(events_never_come_from_inside_a_call),
		cmocka_unit_test(both_addresses),
		cmocka_unit_test(every_split),
		cmocka_unit_test(partial_consume),
		cmocka_unit_test(pause_and_resume),
		cmocka_unit_test(large_transfer),
		cmocka_unit_test(slow_owner),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(fair_turns),
		cmocka_unit_test(take_fd),
		cmocka_unit_test(who_is_silent_is_asked_for_a_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
