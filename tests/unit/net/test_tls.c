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

/* A CA, a certificate of it, and whatever contexts a test makes. */
struct set {
	struct testnet net;
	struct testcert *ca;
	struct testcert *cert;
	struct tls_ctx *server_tls;
	struct tls_ctx *client_tls;
	struct end server;
	struct end client;
};

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

static void set_init(struct set *s)
{
	*s = (struct set){ 0 };
	testnet_init(&s->net);
	s->ca = make_ca();
	s->cert = issue(s->ca, "mail.example.org,127.0.0.1");
	s->server_tls = testcert_server(s->cert, "imap");
	s->client_tls = testcert_client(s->ca, NULL);
}

static void set_done(struct set *s)
{
	end_done(&s->server);
	end_done(&s->client);
	tls_ctx_free(&s->server_tls);
	tls_ctx_free(&s->client_tls);
	testcert_free(&s->cert);
	testcert_free(&s->ca);
	testnet_done(&s->net);
}

/* use replaces a context of the set. */
static void use(struct tls_ctx **slot, struct tls_ctx *ctx)
{
	tls_ctx_free(slot);
	*slot = ctx;
}

static void connect_as(struct set *s, const char *name)
{
	int fds[2];

	end_done(&s->server);
	end_done(&s->client);
	testnet_pair(fds);
	end_init(&s->server, &s->net,
	         stream_accepted(s->net.loop, fds[0], s->server_tls));
	end_init(&s->client, &s->net,
	         stream_connected(s->net.loop, fds[1], s->client_tls, name));
}

static bool both_settled(void *arg)
{
	const struct set *s = arg;

	return s->server.opens + s->server.errors > 0 &&
	       s->client.opens + s->client.errors > 0;
}

static void settle(struct set *s, const char *name)
{
	connect_as(s, name);
	testnet_run(&s->net, both_settled, s);
}

/* What the certificate of the set is for. */
#define WRONG "certificate is for mail.example.org, 127.0.0.1, not "

/* expect_refusal wants the client to refuse in these words, and the server to
 * be told. */
static void expect_refusal(struct set *s, const char *name, const char *why,
                           const char *server_why)
{
	connect_as(s, name);
	testnet_run(&s->net, end_has_error, &s->client);
	assert_int_equal(s->client.rc, ERR_UNTRUSTED);
	assert_string_equal(s->client.why, why);
	assert_int_equal(s->client.opens, 0);
	stream_close(&s->client.stream);
	testnet_run(&s->net, end_has_error, &s->server);
	assert_int_equal(s->server.rc, ERR_TLS);
	assert_string_equal(s->server.why, server_why);
}

/* --- connections ---------------------------------------------------------- */

static void names_and_addresses_match(void **state)
{
	struct set s;

	(void)state;
	set_init(&s);
	settle(&s, "mail.example.org");
	assert_int_equal(s.client.opens, 1);
	settle(&s, "MAIL.example.org.");
	assert_int_equal(s.client.opens, 1);
	settle(&s, "127.0.0.1");
	assert_int_equal(s.client.opens, 1);
	set_done(&s);
}

static void wrong_name(void **state)
{
	struct set s;

	(void)state;
	set_init(&s);
	expect_refusal(&s, "imap.example.org", WRONG "imap.example.org",
	               "tls alert: bad certificate (42)");
	expect_refusal(&s, "127.0.0.2", WRONG "127.0.0.2",
	               "tls alert: bad certificate (42)");
	expect_refusal(&s, "::1", WRONG "0:0:0:0:0:0:0:1",
	               "tls alert: bad certificate (42)");
	/* Never "any name", however odd it is. */
	expect_refusal(&s, "", WRONG "invalid.invalid",
	               "tls alert: bad certificate (42)");
	set_done(&s);
}

static void untrusted(void **state)
{
	struct testcert *stranger = issue(NULL, "Another CA");
	struct set s;

	(void)state;
	set_init(&s);
	use(&s.client_tls, testcert_client(stranger, NULL));
	expect_refusal(&s, "mail.example.org",
	               "certificate not trusted: issuer \"Test CA\" unknown",
	               "tls alert: unknown CA (48)");
	testcert_free(&stranger);
	set_done(&s);
}

static void expired(void **state)
{
	struct set s;
	struct testcert_opts opts = { .names = "mail.example.org",
		                      .from_s = -7200,
		                      .to_s = -60 };
	char why[96];
	char day[16];

	(void)state;
	set_init(&s);
	certificate_day(((int64_t)time(NULL) + opts.to_s) * 1000, day);
	(void)snprintf(why, sizeof(why), "certificate for %s expired on %s",
	               opts.names, day);
	opts.issuer = s.ca;
	testcert_free(&s.cert);
	s.cert = testcert_new(&opts);
	use(&s.server_tls, testcert_server(s.cert, NULL));
	expect_refusal(&s, "mail.example.org", why,
	               "tls alert: certificate expired (45)");
	set_done(&s);
}

static void not_yet_valid(void **state)
{
	struct set s;
	struct testcert_opts opts = { .names = "mail.example.org",
		                      .from_s = 86400,
		                      .to_s = 2 * 86400 };
	char why[96];
	char day[16];

	(void)state;
	set_init(&s);
	certificate_day(((int64_t)time(NULL) + opts.from_s) * 1000, day);
	(void)snprintf(why, sizeof(why),
	               "certificate for %s is not valid before %s", opts.names,
	               day);
	opts.issuer = s.ca;
	testcert_free(&s.cert);
	s.cert = testcert_new(&opts);
	use(&s.server_tls, testcert_server(s.cert, NULL));
	expect_refusal(&s, "mail.example.org", why,
	               "tls alert: bad certificate (42)");
	set_done(&s);
}

/* Nobody signed it but itself, and the operator reads which key is for that. */
static void self_signed(void **state)
{
	struct tls_client_opts opts = { .verify = true,
		                        .ca_key = "backend.ca" };
	struct tls_ctx *ctx = NULL;
	struct set s;

	(void)state;
	set_init(&s);
	opts.ca_file = testcert_file(s.ca);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&s.client_tls, ctx);
	testcert_free(&s.cert);
	s.cert = issue(NULL, "mail.example.org");
	use(&s.server_tls, testcert_server(s.cert, NULL));
	expect_refusal(&s, "mail.example.org",
	               "certificate not trusted: self-signed by "
	               "\"mail.example.org\": set backend.ca",
	               "tls alert: unknown CA (48)");
	set_done(&s);
}

/* A server whose port speaks no TLS. */
static void not_tls_from_a_server(void **state)
{
	struct set s;
	int fds[2];

	(void)state;
	set_init(&s);
	testnet_pair(fds);
	end_init(&s.client, &s.net,
	         stream_connected(s.net.loop, fds[0], s.client_tls, "x"));
	end_init(&s.server, &s.net, stream_accepted(s.net.loop, fds[1], NULL));
	assert_ok(stream_write(s.server.stream, STR("* OK hello\r\n")));
	testnet_run(&s.net, end_has_error, &s.client);
	assert_int_equal(s.client.rc, ERR_TLS);
	assert_string_equal(
		s.client.why,
		"the peer does not speak tls: wrong version number");
	set_done(&s);
}

/* The operator may name the server's own certificate as the anchor. */
static void self_signed_anchor(void **state)
{
	struct set s;

	(void)state;
	set_init(&s);
	testcert_free(&s.cert);
	s.cert = issue(NULL, "mail.example.org");
	use(&s.server_tls, testcert_server(s.cert, NULL));
	use(&s.client_tls, testcert_client(s.cert, NULL));
	settle(&s, "mail.example.org");
	assert_int_equal(s.client.opens, 1);
	set_done(&s);
}

static void verification_off(void **state)
{
	const struct tls_client_opts opts = { .verify = false };
	struct tls_ctx *ctx = NULL;
	struct set s;

	(void)state;
	set_init(&s);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&s.client_tls, ctx);
	settle(&s, "another.example.org");
	assert_int_equal(s.client.opens, 1);
	set_done(&s);
}

static void alpn(void **state)
{
	struct set s;

	(void)state;
	set_init(&s);
	/* Absent is fine. */
	settle(&s, "mail.example.org");
	assert_string_equal(stream_alpn(s.client.stream), "");
	use(&s.client_tls, testcert_client(s.ca, "imap"));
	settle(&s, "mail.example.org");
	assert_string_equal(stream_alpn(s.client.stream), "imap");
	assert_string_equal(stream_alpn(s.server.stream), "imap");
	set_done(&s);
}

static void alpn_of_a_stranger(void **state)
{
	struct set s;

	(void)state;
	set_init(&s);
	use(&s.client_tls, testcert_client(s.ca, "http/1.1"));
	connect_as(&s, "mail.example.org");
	testnet_run(&s.net, end_has_error, &s.server);
	assert_int_equal(s.server.rc, ERR_TLS);
	stream_close(&s.server.stream);
	testnet_run(&s.net, end_has_error, &s.client);
	assert_string_equal(s.client.why,
	                    "tls alert: no application protocol (120)");
	set_done(&s);
}

static void alpn_required(void **state)
{
	const struct tls_client_opts opts = { .verify = false, .http2 = true };
	struct tls_ctx *ctx = NULL;
	struct set s;

	(void)state;
	set_init(&s);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&s.client_tls, ctx);
	use(&s.server_tls, testcert_server(s.cert, NULL));
	connect_as(&s, "mail.example.org");
	testnet_run(&s.net, end_has_error, &s.client);
	assert_int_equal(s.client.rc, ERR_TLS);
	assert_string_equal(s.client.why, "peer does not speak h2 (alpn)");
	set_done(&s);
}

static void not_tls_at_all(void **state)
{
	struct set s;
	int fds[2];

	(void)state;
	set_init(&s);
	testnet_pair(fds);
	end_init(&s.server, &s.net,
	         stream_accepted(s.net.loop, fds[0], s.server_tls));
	end_init(&s.client, &s.net, stream_accepted(s.net.loop, fds[1], NULL));
	assert_ok(stream_write(s.client.stream, STR("GET / HTTP/1.1\r\n\r\n")));
	testnet_run(&s.net, end_has_error, &s.server);
	assert_int_equal(s.server.rc, ERR_TLS);
	assert_string_equal(s.server.why,
	                    "the peer does not speak tls: http request");
	set_done(&s);
}

static void min_version(void **state)
{
	struct tls_server_opts opts = { .min_version = "1.3" };
	struct tls_ctx *ctx = NULL;
	struct set s;

	(void)state;
	set_init(&s);
	opts.certificate = testcert_pem(s.cert);
	opts.key = testcert_key(s.cert);
	assert_ok(tls_server_new(&opts, &ctx, NULL));
	use(&s.server_tls, ctx);
	testcert_tls12(s.client_tls);
	connect_as(&s, "mail.example.org");
	testnet_run(&s.net, end_has_error, &s.server);
	stream_close(&s.server.stream);
	testnet_run(&s.net, end_has_error, &s.client);
	assert_string_equal(s.client.why, "tls alert: protocol version (70)");
	set_done(&s);
}

static void certificate_by_sni(void **state)
{
	struct tls_ctx *other;
	struct testcert *cert;
	struct set s;

	(void)state;
	set_init(&s);
	cert = issue(s.ca, "imap.example.net");
	other = testcert_server(cert, "imap");
	tls_server_also(s.server_tls, other);
	tls_ctx_free(&other);
	settle(&s, "imap.example.net");
	assert_int_equal(s.client.opens, 1);
	settle(&s, "mail.example.org");
	assert_int_equal(s.client.opens, 1);
	expect_refusal(&s, "nobody.example.net", WRONG "nobody.example.net",
	               "tls alert: bad certificate (42)");
	testcert_free(&cert);
	set_done(&s);
}

/* TLS 1.3: the client has opened before the server says what it thinks of its
 * certificate. */
static void client_certificate_refused(void **state)
{
	struct tls_client_opts opts = { .verify = true };
	struct tls_ctx *ctx = NULL;
	struct testcert *own;
	struct set s;

	(void)state;
	set_init(&s);
	own = issue(NULL, "sender");
	opts.ca_file = testcert_file(s.ca);
	opts.certificate = testcert_pem(own);
	opts.key = testcert_key(own);
	assert_ok(tls_client_new(&opts, &ctx, NULL));
	use(&s.client_tls, ctx);
	testcert_ask_client(s.server_tls, s.ca);
	connect_as(&s, "mail.example.org");
	testnet_run(&s.net, end_has_error, &s.server);
	stream_close(&s.server.stream);
	testnet_run(&s.net, end_has_error, &s.client);
	assert_int_equal(s.client.opens, 1);
	assert_int_equal(s.client.rc, ERR_AUTH);
	assert_string_equal(s.client.why, "tls alert: unknown CA (48)");
	testcert_free(&own);
	set_done(&s);
}

/* --- STARTTLS ------------------------------------------------------------- */

static void start_tls(void **state)
{
	struct set s;
	int fds[2];

	(void)state;
	set_init(&s);
	testnet_pair(fds);
	end_init(&s.server, &s.net, stream_accepted(s.net.loop, fds[0], NULL));
	end_init(&s.client, &s.net, stream_accepted(s.net.loop, fds[1], NULL));
	testnet_run(&s.net, end_is_open, &s.client);
	assert_ok(stream_write(s.client.stream, STR("a STARTTLS\r\n")));
	end_wait(&s.server, 12);
	assert_ok(stream_write(s.server.stream, STR("a OK\r\n")));
	stream_start_tls(s.server.stream, s.server_tls, NULL);
	assert_ok(stream_write(s.server.stream, STR("inside")));
	end_wait(&s.client, 6);
	assert_str(buf_str(&s.client.got), "a OK\r\n");
	assert_false(stream_is_tls(s.client.stream));
	stream_start_tls(s.client.stream, s.client_tls, "mail.example.org");
	assert_true(stream_is_tls(s.client.stream));
	end_wait(&s.client, 12);
	assert_str(buf_str(&s.client.got), "a OK\r\ninside");
	assert_int_equal(s.client.opens, 2);
	assert_int_equal(s.server.opens, 2);
	set_done(&s);
}

/* What came in plain behind STARTTLS is dropped, not read as if it had come
 * through TLS (CVE-2011-0411). */
static void injected_before_tls(void **state)
{
	struct set s;
	int fds[2];

	(void)state;
	set_init(&s);
	testnet_pair(fds);
	end_init(&s.server, &s.net, stream_accepted(s.net.loop, fds[0], NULL));
	end_init(&s.client, &s.net, stream_accepted(s.net.loop, fds[1], NULL));
	s.server.take_max = 12;
	assert_ok(
		stream_write(s.client.stream, STR("a STARTTLS\r\nb NOOP\r\n")));
	end_wait(&s.server, 12);
	stream_start_tls(s.server.stream, s.server_tls, NULL);
	stream_start_tls(s.client.stream, s.client_tls, "mail.example.org");
	assert_ok(stream_write(s.client.stream, STR("c NOOP\r\n")));
	s.server.take_max = 0;
	end_wait(&s.server, 20);
	assert_str(buf_str(&s.server.got), "a STARTTLS\r\nc NOOP\r\n");
	set_done(&s);
}

/* Written for TLS, but closed before: it must not go out in plain. */
static void closed_while_upgrading(void **state)
{
	struct set s;
	int fds[2];

	(void)state;
	set_init(&s);
	testnet_pair(fds);
	end_init(&s.server, &s.net, stream_accepted(s.net.loop, fds[0], NULL));
	end_init(&s.client, &s.net, stream_accepted(s.net.loop, fds[1], NULL));
	testnet_run(&s.net, end_is_open, &s.client);
	assert_ok(stream_write(s.client.stream, STR("before")));
	stream_start_tls(s.client.stream, s.client_tls, "mail.example.org");
	assert_ok(stream_write(s.client.stream, STR("secret")));
	stream_close(&s.client.stream);
	testnet_run(&s.net, end_has_eof, &s.server);
	assert_str(buf_str(&s.server.got), "before");
	set_done(&s);
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
