/* SPDX-License-Identifier: ISC */
/* testnet - recording stream owners on a real loop. */
#include "testnet/testnet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUARD_MS = 60000, GOT_MAX = 8 * 1024 * 1024 };

void testnet_init(struct testnet *net)
{
	*net = (struct testnet){ .loop = loop_new() };
}

void testnet_done(struct testnet *net)
{
	streams_finish(net->loop);
	loop_free(&net->loop);
}

static void on_guard(void *arg)
{
	(void)arg;
	(void)fputs("the condition never held\n", stderr);
	abort();
}

void testnet_check(struct testnet *net)
{
	if (net->until != NULL && net->until(net->arg))
		loop_stop(net->loop);
}

void testnet_run(struct testnet *net, end_cond *until, void *arg)
{
	struct loop_timer *guard = loop_timer_new(net->loop, on_guard, NULL);

	net->until = until;
	net->arg = arg;
	loop_timer_set(guard, GUARD_MS);
	if (!until(arg))
		loop_run(net->loop);
	assert(until(arg));
	net->until = NULL;
	loop_timer_free(&guard);
}

struct spin {
	struct loop *loop;
	int turns;
};

static void on_spin(void *arg)
{
	struct spin *spin = arg;

	if (spin->turns-- > 0)
		loop_defer(spin->loop, on_spin, spin);
	else
		loop_stop(spin->loop);
}

void testnet_spin(struct testnet *net, int turns)
{
	struct spin spin = { .loop = net->loop, .turns = turns };

	loop_defer(net->loop, on_spin, &spin);
	loop_run(net->loop);
}

void testnet_pair(int fds_r[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert(fd >= 0);
	assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	assert(listen(fd, 1) == 0);
	assert(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
	fds_r[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(connect(fds_r[1], (struct sockaddr *)&addr, len) == 0);
	fds_r[0] = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert(fds_r[0] >= 0);
	assert(fcntl(fds_r[1], F_SETFL, O_NONBLOCK) == 0);
	assert(close(fd) == 0);
}

static void on_open(void *arg)
{
	struct end *e = arg;

	e->opens++;
	e->events++;
	if (e->close_in_open)
		stream_close(&e->stream);
	testnet_check(e->net);
}

static void resume(void *arg)
{
	struct end *e = arg;

	if (e->stream != NULL)
		stream_resume(e->stream);
}

static size_t on_data(void *arg, struct str bytes)
{
	struct end *e = arg;

	e->events++;
	if (e->take_max > 0 && e->take_max < bytes.len) {
		bytes = str_sub(bytes, 0, e->take_max);
		if (e->resume_later)
			loop_defer(e->net->loop, resume, e);
	}
	assert(buf_add(&e->got, bytes) == ERR_OK);
	if (e->echo)
		assert(stream_write(e->stream, bytes) == ERR_OK);
	if (e->close_in_data)
		stream_close(&e->stream);
	if (e->abort_in_data)
		stream_abort(&e->stream);
	testnet_check(e->net);
	return bytes.len;
}

static void on_eof(void *arg)
{
	struct end *e = arg;

	e->eofs++;
	e->events++;
	if (e->close_in_eof)
		stream_close(&e->stream);
	testnet_check(e->net);
}

static void on_drained(void *arg)
{
	struct end *e = arg;

	e->drains++;
	e->events++;
	testnet_check(e->net);
}

static void on_error(void *arg, int rc, const char *why)
{
	struct end *e = arg;

	e->errors++;
	e->events++;
	e->rc = rc;
	(void)snprintf(e->why, sizeof(e->why), "%s", why);
	if (e->close_in_error)
		stream_close(&e->stream);
	testnet_check(e->net);
}

static const struct stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_error = on_error,
};

void end_init(struct end *e, struct testnet *net, struct stream *stream)
{
	*e = (struct end){ .net = net, .stream = stream };
	buf_init(&e->got, GOT_MAX);
	if (stream != NULL)
		stream_set_handler(stream, &handler, e);
}

void end_done(struct end *e)
{
	stream_abort(&e->stream);
	buf_reset(&e->got);
}

void end_write(struct end *e, struct str bytes)
{
	assert(stream_write(e->stream, bytes) == ERR_OK);
}

bool end_is_open(void *arg)
{
	const struct end *e = arg;

	return e->opens > 0;
}

bool end_has_eof(void *arg)
{
	const struct end *e = arg;

	return e->eofs > 0;
}

bool end_has_error(void *arg)
{
	const struct end *e = arg;

	return e->errors > 0;
}

struct wait {
	const struct end *end;
	size_t len;
};

static bool has_got(void *arg)
{
	const struct wait *wait = arg;

	return wait->end->got.len >= wait->len;
}

void end_wait(struct end *e, size_t len)
{
	struct wait wait = { .end = e, .len = len };

	testnet_run(e->net, has_got, &wait);
	assert(e->got.len == len);
}

bool pair_is_open(void *arg)
{
	const struct pair *p = arg;

	return p->server.opens > 0 && p->client.opens > 0;
}

static void make_tls(struct pair *p, enum kind kind)
{
	const struct testcert_opts ca = { .names = "Test CA", .is_ca = true };
	struct testcert_opts leaf = { .names = "localhost,127.0.0.1" };

	p->ca = testcert_new(&ca);
	leaf.issuer = p->ca;
	p->cert = testcert_new(&leaf);
	p->server_tls = testcert_server(p->cert, "imap");
	p->client_tls = testcert_client(p->ca, NULL);
	if (kind == TLS12)
		testcert_tls12(p->client_tls);
}

void pair_init(struct pair *p, enum kind kind)
{
	int fds[2];

	*p = (struct pair){ 0 };
	testnet_init(&p->net);
	testnet_pair(fds);
	if (kind != PLAIN)
		make_tls(p, kind);
	end_init(&p->server, &p->net,
	         stream_accepted(p->net.loop, fds[0], p->server_tls));
	end_init(&p->client, &p->net,
	         stream_connected(p->net.loop, fds[1], p->client_tls,
	                          "localhost"));
}

void pair_open(struct pair *p, enum kind kind)
{
	pair_init(p, kind);
	testnet_run(&p->net, pair_is_open, p);
}

void pair_done(struct pair *p)
{
	end_done(&p->server);
	end_done(&p->client);
	tls_ctx_free(&p->server_tls);
	tls_ctx_free(&p->client_tls);
	testcert_free(&p->cert);
	testcert_free(&p->ca);
	testnet_done(&p->net);
}

void pair_each(pair_rule_fn *rule)
{
	struct pair p;

	for (enum kind kind = PLAIN; kind < KINDS; kind++) {
		pair_open(&p, kind);
		rule(&p, kind);
		pair_done(&p);
	}
}
