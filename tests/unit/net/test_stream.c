/* SPDX-License-Identifier: ISC */
/* stream on real sockets, each rule plain, with TLS 1.2 and with TLS 1.3. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/stream.h"
#include "net/testcert.h"
#include "net/testnet.h"
#include "net/tls_conn.h"
#include "unit/unit.h"

/* A server end and a client end, connected to each other. */
struct pair {
	struct testnet net;
	struct testcert *ca;
	struct testcert *cert;
	struct tls_ctx *server_tls;
	struct tls_ctx *client_tls;
	struct end server;
	struct end client;
};

enum kind { PLAIN, TLS12, TLS13, KINDS };

static bool both_open(void *arg)
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
		assert_int_equal(SSL_CTX_set_max_proto_version(
					 p->client_tls->ssl, TLS1_2_VERSION),
		                 1);
}

static void pair_init(struct pair *p, enum kind kind)
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

static void pair_open(struct pair *p, enum kind kind)
{
	pair_init(p, kind);
	testnet_run(&p->net, both_open, p);
}

static void pair_done(struct pair *p)
{
	end_done(&p->server);
	end_done(&p->client);
	tls_ctx_free(&p->server_tls);
	tls_ctx_free(&p->client_tls);
	testcert_free(&p->cert);
	testcert_free(&p->ca);
	testnet_done(&p->net);
}

static bool client_got_hello(void *arg)
{
	const struct pair *p = arg;

	return p->client.got.len >= 5;
}

static void echo(void **state)
{
	struct pair p;

	(void)state;
	for (enum kind kind = PLAIN; kind < KINDS; kind++) {
		pair_open(&p, kind);
		p.server.echo = true;
		assert_ok(stream_write(p.client.stream, STR("hel")));
		assert_ok(stream_write(p.client.stream, STR("lo")));
		testnet_run(&p.net, client_got_hello, &p);
		assert_str(buf_str(&p.client.got), "hello");
		stream_close(&p.client.stream);
		testnet_run(&p.net, end_has_eof, &p.server);
		pair_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
