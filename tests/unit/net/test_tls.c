/* SPDX-License-Identifier: ISC */
/* tls: what contexts refuse, and what a connection says when the other side's
 * certificate, protocol or version does not suit. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/files.h"
#include "net/certificate.h"
#include "net/stream.h"
#include "net/tls.h"
#include "testnet/testcert.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

static struct testcert *issue(const struct testcert *ca, const char *names)
{
	const struct testcert_opts opts = { .issuer = ca, .names = names };

	return testcert_new(&opts);
}

static struct testcert *make_ca(void)
{
	const struct testcert_opts opts = { .names = "Test CA", .is_ca = true };

	return testcert_new(&opts);
}

/* begin makes a CA, a certificate of it and contexts; nothing is connected. */
static void begin(struct pair *p)
{
	*p = (struct pair){ 0 };
	testnet_init(&p->net);
	p->ca = make_ca();
	p->cert = issue(p->ca, "mail.example.org,127.0.0.1");
	p->server_tls = testcert_server(p->cert, "imap");
	p->client_tls = testcert_client(p->ca, NULL);
}

/* use replaces a context of the pair. */
static void use(struct tls_ctx **slot, struct tls_ctx *ctx)
{
	tls_ctx_free(slot);
	*slot = ctx;
}

static void connect_as(struct pair *p, const char *name)
{
	int fds[2];

	end_done(&p->server);
	end_done(&p->client);
	testnet_pair(fds);
	end_init(&p->server, &p->net,
	         stream_accepted(p->net.loop, fds[0], p->server_tls));
	end_init(&p->client, &p->net,
	         stream_connected(p->net.loop, fds[1], p->client_tls, name));
}

static bool both_settled(void *arg)
{
	const struct pair *p = arg;

	return p->server.opens + p->server.errors > 0 &&
	       p->client.opens + p->client.errors > 0;
}

static void settle(struct pair *p, const char *name)
{
	connect_as(p, name);
	testnet_run(&p->net, both_settled, p);
}

/* What the certificate of the pair is for. */
#define WRONG "certificate is for mail.example.org, 127.0.0.1, not "

/* expect_refusal wants the client to refuse in these words, and the server to
 * be told. */
static void expect_refusal(struct pair *p, const char *name, const char *why,
                           const char *server_why)
{
	connect_as(p, name);
	testnet_run(&p->net, end_has_error, &p->client);
	assert_int_equal(p->client.rc, ERR_UNTRUSTED);
	assert_string_equal(p->client.why, why);
	assert_int_equal(p->client.opens, 0);
	stream_close(&p->client.stream);
	testnet_run(&p->net, end_has_error, &p->server);
	assert_int_equal(p->server.rc, ERR_TLS);
	assert_string_equal(p->server.why, server_why);
}

/* --- connections ---------------------------------------------------------- */

static void names_and_addresses_match(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	settle(&p, "mail.example.org");
	assert_int_equal(p.client.opens, 1);
	settle(&p, "MAIL.example.org.");
	assert_int_equal(p.client.opens, 1);
	settle(&p, "127.0.0.1");
	assert_int_equal(p.client.opens, 1);
	pair_done(&p);
}

static void wrong_name(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	expect_refusal(&p, "imap.example.org", WRONG "imap.example.org",
	               "tls alert: bad certificate (42)");
	expect_refusal(&p, "127.0.0.2", WRONG "127.0.0.2",
	               "tls alert: bad certificate (42)");
	expect_refusal(&p, "::1", WRONG "0:0:0:0:0:0:0:1",
	               "tls alert: bad certificate (42)");
	/* Never "any name", however odd it is. */
	expect_refusal(&p, "", WRONG "invalid.invalid",
	               "tls alert: bad certificate (42)");
	pair_done(&p);
}

static void untrusted(void **state)
{
	struct testcert *stranger = issue(NULL, "Another CA");
	struct pair p;

	(void)state;
	begin(&p);
	use(&p.client_tls, testcert_client(stranger, NULL));
	expect_refusal(&p, "mail.example.org",
	               "certificate not trusted: issuer \"Test CA\" unknown",
	               "tls alert: unknown CA (48)");
	testcert_free(&stranger);
	pair_done(&p);
}

static void expired(void **state)
{
	struct pair p;
	struct testcert_opts opts = { .names = "mail.example.org",
		                      .from_s = -7200,
		                      .to_s = -60 };
	char why[96];
	char day[16];

	(void)state;
	begin(&p);
	certificate_day(((int64_t)time(NULL) + opts.to_s) * 1000, day);
	(void)snprintf(why, sizeof(why), "certificate for %s expired on %s",
	               opts.names, day);
	opts.issuer = p.ca;
	testcert_free(&p.cert);
	p.cert = testcert_new(&opts);
	use(&p.server_tls, testcert_server(p.cert, NULL));
	expect_refusal(&p, "mail.example.org", why,
	               "tls alert: certificate expired (45)");
	pair_done(&p);
}

static void not_yet_valid(void **state)
{
	struct pair p;
	struct testcert_opts opts = { .names = "mail.example.org",
		                      .from_s = 86400,
		                      .to_s = 2 * 86400 };
	char why[96];
	char day[16];

	(void)state;
	begin(&p);
	certificate_day(((int64_t)time(NULL) + opts.from_s) * 1000, day);
	(void)snprintf(why, sizeof(why),
	               "certificate for %s is not valid before %s", opts.names,
	               day);
	opts.issuer = p.ca;
	testcert_free(&p.cert);
	p.cert = testcert_new(&opts);
	use(&p.server_tls, testcert_server(p.cert, NULL));
	expect_refusal(&p, "mail.example.org", why,
	               "tls alert: bad certificate (42)");
	pair_done(&p);
}

/* Nobody signed it but itself, and the operator reads which key is for that. */
static void self_signed(void **state)
{
	struct tls_client_opts opts = { .verify = true,
		                        .ca_key = "backend.ca" };
	struct tls_ctx *ctx = NULL;
	struct pair p;

	(void)state;
	begin(&p);
	opts.ca_file = testcert_file(p.ca);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&p.client_tls, ctx);
	testcert_free(&p.cert);
	p.cert = issue(NULL, "mail.example.org");
	use(&p.server_tls, testcert_server(p.cert, NULL));
	expect_refusal(&p, "mail.example.org",
	               "certificate not trusted: self-signed by "
	               "\"mail.example.org\": set backend.ca",
	               "tls alert: unknown CA (48)");
	pair_done(&p);
}

/* A server whose port speaks no TLS. */
static void not_tls_from_a_server(void **state)
{
	struct pair p;
	int fds[2];

	(void)state;
	begin(&p);
	testnet_pair(fds);
	end_init(&p.client, &p.net,
	         stream_connected(p.net.loop, fds[0], p.client_tls, "x"));
	end_init(&p.server, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	assert_ok(stream_write(p.server.stream, STR("* OK hello\r\n")));
	testnet_run(&p.net, end_has_error, &p.client);
	assert_int_equal(p.client.rc, ERR_TLS);
	assert_string_equal(
		p.client.why,
		"the peer does not speak tls: wrong version number");
	pair_done(&p);
}

/* The operator may name the server's own certificate as the anchor. */
static void self_signed_anchor(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	testcert_free(&p.cert);
	p.cert = issue(NULL, "mail.example.org");
	use(&p.server_tls, testcert_server(p.cert, NULL));
	use(&p.client_tls, testcert_client(p.cert, NULL));
	settle(&p, "mail.example.org");
	assert_int_equal(p.client.opens, 1);
	pair_done(&p);
}

static void verification_off(void **state)
{
	const struct tls_client_opts opts = { .verify = false };
	struct tls_ctx *ctx = NULL;
	struct pair p;

	(void)state;
	begin(&p);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&p.client_tls, ctx);
	settle(&p, "another.example.org");
	assert_int_equal(p.client.opens, 1);
	pair_done(&p);
}

static void alpn(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	/* Absent is fine. */
	settle(&p, "mail.example.org");
	assert_string_equal(stream_alpn(p.client.stream), "");
	use(&p.client_tls, testcert_client(p.ca, "imap"));
	settle(&p, "mail.example.org");
	assert_string_equal(stream_alpn(p.client.stream), "imap");
	assert_string_equal(stream_alpn(p.server.stream), "imap");
	pair_done(&p);
}

static void alpn_of_a_stranger(void **state)
{
	struct pair p;

	(void)state;
	begin(&p);
	use(&p.client_tls, testcert_client(p.ca, "http/1.1"));
	connect_as(&p, "mail.example.org");
	testnet_run(&p.net, end_has_error, &p.server);
	assert_int_equal(p.server.rc, ERR_TLS);
	stream_close(&p.server.stream);
	testnet_run(&p.net, end_has_error, &p.client);
	assert_string_equal(p.client.why,
	                    "tls alert: no application protocol (120)");
	pair_done(&p);
}

static void alpn_required(void **state)
{
	const struct tls_client_opts opts = { .verify = false, .http2 = true };
	struct tls_ctx *ctx = NULL;
	struct pair p;

	(void)state;
	begin(&p);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&p.client_tls, ctx);
	use(&p.server_tls, testcert_server(p.cert, NULL));
	connect_as(&p, "mail.example.org");
	testnet_run(&p.net, end_has_error, &p.client);
	assert_int_equal(p.client.rc, ERR_TLS);
	assert_string_equal(p.client.why, "peer does not speak h2 (alpn)");
	pair_done(&p);
}

static void not_tls_at_all(void **state)
{
	struct pair p;
	int fds[2];

	(void)state;
	begin(&p);
	testnet_pair(fds);
	end_init(&p.server, &p.net,
	         stream_accepted(p.net.loop, fds[0], p.server_tls));
	end_init(&p.client, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	assert_ok(stream_write(p.client.stream, STR("GET / HTTP/1.1\r\n\r\n")));
	testnet_run(&p.net, end_has_error, &p.server);
	assert_int_equal(p.server.rc, ERR_TLS);
	assert_string_equal(p.server.why,
	                    "the peer does not speak tls: http request");
	pair_done(&p);
}

static void min_version(void **state)
{
	struct tls_server_opts opts = { .min_version = "1.3" };
	struct tls_ctx *ctx = NULL;
	struct pair p;

	(void)state;
	begin(&p);
	opts.certificate = testcert_pem(p.cert);
	opts.key = testcert_key(p.cert);
	assert_ok(tls_server_new(&opts, &ctx, NULL));
	use(&p.server_tls, ctx);
	testcert_tls12(p.client_tls);
	connect_as(&p, "mail.example.org");
	testnet_run(&p.net, end_has_error, &p.server);
	stream_close(&p.server.stream);
	testnet_run(&p.net, end_has_error, &p.client);
	assert_string_equal(p.client.why, "tls alert: protocol version (70)");
	pair_done(&p);
}

static void certificate_by_sni(void **state)
{
	struct tls_ctx *other;
	struct testcert *cert;
	struct pair p;

	(void)state;
	begin(&p);
	cert = issue(p.ca, "imap.example.net");
	other = testcert_server(cert, "imap");
	tls_server_also(p.server_tls, other);
	tls_ctx_free(&other);
	settle(&p, "imap.example.net");
	assert_int_equal(p.client.opens, 1);
	settle(&p, "mail.example.org");
	assert_int_equal(p.client.opens, 1);
	expect_refusal(&p, "nobody.example.net", WRONG "nobody.example.net",
	               "tls alert: bad certificate (42)");
	testcert_free(&cert);
	pair_done(&p);
}

/* TLS 1.3: the client has opened before the server says what it thinks of its
 * certificate. */
static void client_certificate_refused(void **state)
{
	struct tls_client_opts opts = { .verify = true };
	struct tls_ctx *ctx = NULL;
	struct testcert *own;
	struct pair p;

	(void)state;
	begin(&p);
	own = issue(NULL, "sender");
	opts.ca_file = testcert_file(p.ca);
	opts.certificate = testcert_pem(own);
	opts.key = testcert_key(own);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&p.client_tls, ctx);
	testcert_ask_client(p.server_tls, p.ca);
	connect_as(&p, "mail.example.org");
	testnet_run(&p.net, end_has_error, &p.server);
	stream_close(&p.server.stream);
	testnet_run(&p.net, end_has_error, &p.client);
	assert_int_equal(p.client.opens, 1);
	assert_int_equal(p.client.rc, ERR_AUTH);
	assert_string_equal(p.client.why, "tls alert: unknown CA (48)");
	testcert_free(&own);
	pair_done(&p);
}

/* --- STARTTLS ------------------------------------------------------------- */

static void start_tls(void **state)
{
	struct pair p;
	int fds[2];

	(void)state;
	begin(&p);
	testnet_pair(fds);
	end_init(&p.server, &p.net, stream_accepted(p.net.loop, fds[0], NULL));
	end_init(&p.client, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	testnet_run(&p.net, end_is_open, &p.client);
	assert_ok(stream_write(p.client.stream, STR("a STARTTLS\r\n")));
	end_wait(&p.server, 12);
	assert_ok(stream_write(p.server.stream, STR("a OK\r\n")));
	stream_start_tls(p.server.stream, p.server_tls, NULL);
	assert_ok(stream_write(p.server.stream, STR("inside")));
	end_wait(&p.client, 6);
	assert_str(buf_str(&p.client.got), "a OK\r\n");
	assert_false(stream_is_tls(p.client.stream));
	stream_start_tls(p.client.stream, p.client_tls, "mail.example.org");
	assert_true(stream_is_tls(p.client.stream));
	end_wait(&p.client, 12);
	assert_str(buf_str(&p.client.got), "a OK\r\ninside");
	assert_int_equal(p.client.opens, 2);
	assert_int_equal(p.server.opens, 2);
	pair_done(&p);
}

/* What came in plain behind STARTTLS is dropped, not read as if it had come
 * through TLS (CVE-2011-0411). */
static void injected_before_tls(void **state)
{
	struct pair p;
	int fds[2];

	(void)state;
	begin(&p);
	testnet_pair(fds);
	end_init(&p.server, &p.net, stream_accepted(p.net.loop, fds[0], NULL));
	end_init(&p.client, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	p.server.take_max = 12;
	assert_ok(
		stream_write(p.client.stream, STR("a STARTTLS\r\nb NOOP\r\n")));
	end_wait(&p.server, 12);
	stream_start_tls(p.server.stream, p.server_tls, NULL);
	stream_start_tls(p.client.stream, p.client_tls, "mail.example.org");
	assert_ok(stream_write(p.client.stream, STR("c NOOP\r\n")));
	p.server.take_max = 0;
	end_wait(&p.server, 20);
	assert_str(buf_str(&p.server.got), "a STARTTLS\r\nc NOOP\r\n");
	pair_done(&p);
}

/* Written for TLS, but closed before: it must not go out in plain. */
static void closed_while_upgrading(void **state)
{
	struct pair p;
	int fds[2];

	(void)state;
	begin(&p);
	testnet_pair(fds);
	end_init(&p.server, &p.net, stream_accepted(p.net.loop, fds[0], NULL));
	end_init(&p.client, &p.net, stream_accepted(p.net.loop, fds[1], NULL));
	testnet_run(&p.net, end_is_open, &p.client);
	assert_ok(stream_write(p.client.stream, STR("before")));
	stream_start_tls(p.client.stream, p.client_tls, "mail.example.org");
	assert_ok(stream_write(p.client.stream, STR("secret")));
	stream_close(&p.client.stream);
	testnet_run(&p.net, end_has_eof, &p.server);
	assert_str(buf_str(&p.server.got), "before");
	pair_done(&p);
}

/* --- contexts ------------------------------------------------------------- */

static void expect_bad_server(const struct tls_server_opts *opts,
                              const char *why)
{
	struct tls_ctx *ctx = NULL;
	struct err_detail detail;

	assert_int_equal(tls_server_new(opts, &ctx, &detail), ERR_INVALID);
	assert_null(ctx);
	if (strncmp(detail.text, why, strlen(why)) != 0)
		fail_msg("\"%s\" is not \"%s...\"", detail.text, why);
}

static void what_a_server_context_refuses(void **state)
{
	struct testcert *ca = make_ca();
	struct testcert *a = issue(ca, "a");
	struct testcert *b = issue(ca, "b");
	struct tls_server_opts opts = { .certificate = testcert_pem(a),
		                        .key = testcert_key(b) };

	(void)state;
	expect_bad_server(&opts, "private key does not match");
	opts.key = testcert_pem(a);
	expect_bad_server(&opts, "no private key in the PEM");
	opts.key = STR_NULL;
	expect_bad_server(&opts, "no private key in the PEM");
	opts.key = testcert_key(a);
	opts.certificate = testcert_key(a);
	expect_bad_server(&opts, "no certificate in the PEM");
	opts.certificate = STR("-----BEGIN CERTIFICATE-----\nMIIB\n");
	expect_bad_server(&opts, "certificate not readable: ");
	opts.certificate = testcert_pem(a);
	opts.ciphers = "NONSENSE";
	expect_bad_server(&opts, "ciphers \"NONSENSE\": ");
	opts.ciphers = NULL;
	opts.ciphersuites = "NONSENSE";
	expect_bad_server(&opts, "ciphersuites \"NONSENSE\": ");
	opts.ciphersuites = NULL;
	opts.groups = "NONSENSE";
	expect_bad_server(&opts, "groups \"NONSENSE\": ");
	opts.groups = NULL;
	opts.min_version = "1.1";
	expect_bad_server(&opts, "tls version 1.1 is not 1.2 or 1.3");
	testcert_free(&a);
	testcert_free(&b);
	testcert_free(&ca);
}

static void what_a_client_context_refuses(void **state)
{
	struct tls_client_opts opts = { .verify = true,
		                        .ca_file = "/nonexistent/ca.pem" };
	struct testcert *ca = make_ca();
	struct testcert *a = issue(ca, "a");
	struct tls_ctx *ctx = NULL;
	struct err_detail detail;

	(void)state;
	assert_int_equal(tls_client_new(&opts, &ctx, &detail), ERR_NOT_FOUND);
	assert_string_equal(detail.text,
	                    "/nonexistent/ca.pem: No such file or directory");
	opts.ca_file = "/dev/null";
	assert_int_equal(tls_client_new(&opts, &ctx, &detail), ERR_INVALID);
	assert_string_equal(detail.text, "/dev/null: no certificate in it");
	opts.ca_file = NULL;
	opts.certificate = testcert_pem(ca);
	opts.key = testcert_key(a);
	assert_int_equal(tls_client_new(&opts, &ctx, &detail), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "private key does not match the certificate");
	assert_null(ctx);
	testcert_free(&a);
	testcert_free(&ca);
}

/* What a file of trust anchors may hold besides them, or in their place. */
static const char revoked[] =
	"-----BEGIN X509 CRL-----\n"
	"MIGPMDgwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBYRcNMjYxMTI3MDcyMjA3WhcN\n"
	"MjYxMTI4MDcyMjA3WjAKBggqhkjOPQQDAgNHADBEAiAgLv9/nKs7ag/IGI40uZaI\n"
	"UnctvTR0AZUY6dRDKpetNQIgMWH95cT6pr7y3nndQr+1C2duOdu8zWN1oAu7eU0x\n"
	"zdY=\n"
	"-----END X509 CRL-----\n";
static const char cut_short[] =
	"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

static int trust(const char *text, struct err_detail *detail)
{
	struct tls_client_opts opts = { .verify = true, .ca_file = "ca.pem" };
	struct tls_ctx *ctx = NULL;
	struct files files = { 0 };
	int rc;

	opts.files = &files;
	assert_ok(files_put(&files, STR("ca.pem"), 0, str_of(text)));
	rc = tls_client_new(&opts, &ctx, detail);
	tls_ctx_free(&ctx);
	files_done(&files);
	return rc;
}

static void anchors_are_certificates(void **state)
{
	struct testcert *ca = make_ca();
	struct err_detail detail;
	struct buf both;

	(void)state;
	assert_int_equal(trust(revoked, &detail), ERR_INVALID);
	assert_string_equal(detail.text, "ca.pem: no certificate in it");
	assert_int_equal(trust(cut_short, &detail), ERR_INVALID);
	assert_non_null(strstr(detail.text, "ca.pem: not readable: "));
	buf_init(&both, FILES_MAX);
	assert_ok(buf_adds(&both, revoked));
	assert_ok(buf_add(&both, testcert_pem(ca)));
	assert_ok(buf_append(&both, "", 1));
	assert_ok(trust(both.data, &detail));
	buf_reset(&both);
	testcert_free(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_match),
		cmocka_unit_test(wrong_name),
		cmocka_unit_test(untrusted),
		cmocka_unit_test(expired),
		cmocka_unit_test(not_yet_valid),
		cmocka_unit_test(self_signed),
		cmocka_unit_test(not_tls_from_a_server),
		cmocka_unit_test(self_signed_anchor),
		cmocka_unit_test(verification_off),
		cmocka_unit_test(alpn),
		cmocka_unit_test(alpn_of_a_stranger),
		cmocka_unit_test(alpn_required),
		cmocka_unit_test(not_tls_at_all),
		cmocka_unit_test(min_version),
		cmocka_unit_test(certificate_by_sni),
		cmocka_unit_test(client_certificate_refused),
		cmocka_unit_test(start_tls),
		cmocka_unit_test(injected_before_tls),
		cmocka_unit_test(closed_while_upgrading),
		cmocka_unit_test(what_a_server_context_refuses),
		cmocka_unit_test(what_a_client_context_refuses),
		cmocka_unit_test(anchors_are_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
