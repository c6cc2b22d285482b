/* SPDX-License-Identifier: ISC */
/* tls_tickets: who may go on with an earlier session, and for how long. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/tls.h"
#include "net/tls_conn.h"
#include "net/tls_tickets.h"
#include "testnet/testcert.h"
#include "unit/unit.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

struct rig {
	struct testcert *cert;
	struct tls_tickets tickets;
	struct tls_server_opts opts;
	struct tls_ctx *server;
	SSL_CTX *client;
	SSL_SESSION *session; /* that the client was given last */
	int given;            /* new ones, by the last connection */
	bool resumed;
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct rig *r = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)session;
	r->given++;
	return 0;
}

static struct tls_ctx *server(const struct rig *r)
{
	struct tls_ctx *ctx = NULL;

	assert_int_equal(tls_server_new(&r->opts, &ctx, NULL), ERR_OK);
	return ctx;
}

static void rig_init(struct rig *r, int version)
{
	const struct testcert_opts opts = { .names = "localhost" };

	*r = (struct rig){ .cert = testcert_new(&opts) };
	tls_tickets_init(&r->tickets);
	r->opts.certificate = testcert_pem(r->cert);
	r->opts.key = testcert_key(r->cert);
	r->opts.tickets = &r->tickets;
	r->server = server(r);
	r->client = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(r->client, version), 1);
	(void)SSL_CTX_set_session_cache_mode(
		r->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(r->client, on_session);
	(void)SSL_CTX_set_app_data(r->client, r);
}

static void rig_done(struct rig *r)
{
	SSL_SESSION_free(r->session);
	SSL_CTX_free(r->client);
	tls_ctx_free(&r->server);
	tls_tickets_done(&r->tickets);
	testcert_free(&r->cert);
}

/* replace makes the server one of |r->opts| as they are now. */
static void replace(struct rig *r)
{
	tls_ctx_free(&r->server);
	r->server = server(r);
}

/* connect_to shakes hands in memory, with the session there is. */
static void connect_to(struct rig *r, const char *name)
{
	SSL *a = SSL_new(r->server->ssl);
	SSL *b = SSL_new(r->client);
	BIO *left;
	BIO *right;
	char c;

	assert_int_equal(BIO_new_bio_pair(&left, 0, &right, 0), 1);
	SSL_set_bio(a, left, left);
	SSL_set_bio(b, right, right);
	SSL_set_accept_state(a);
	SSL_set_connect_state(b);
	if (name != NULL)
		/* Not the macro: the cast in it drops const. */
		assert_int_equal(SSL_ctrl(b, SSL_CTRL_SET_TLSEXT_HOSTNAME,
		                          TLSEXT_NAMETYPE_host_name,
		                          mem_unconst(name)),
		                 1);
	if (r->session != NULL)
		assert_int_equal(SSL_set_session(b, r->session), 1);
	r->given = 0;
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(b);
		(void)SSL_do_handshake(a);
	}
	assert_true(SSL_is_init_finished(a) == 1);
	assert_true(SSL_is_init_finished(b) == 1);
	(void)SSL_read(b, &c, 1); /* the ticket of TLS 1.3 */
	r->resumed = SSL_session_reused(a) == 1;
	assert_int_equal(SSL_session_reused(b), r->resumed);
	(void)SSL_shutdown(a);
	(void)SSL_shutdown(b);
	SSL_SESSION_free(r->session);
	r->session = SSL_get1_session(b);
	SSL_free(a);
	SSL_free(b);
	ERR_clear_error();
}

static void resumes(struct rig *r)
{
	connect_to(r, NULL);
	assert_true(r->resumed);
}

static void does_not_resume(struct rig *r)
{
	connect_to(r, NULL);
	assert_false(r->resumed);
}

/* Each test begins with a session that the client was given. */
static void begin(struct rig *r, int version)
{
	rig_init(r, version);
	does_not_resume(r);
	assert_int_equal(r->given, 1); /* one ticket, no more */
	assert_non_null(r->session);
}

/* has_key: the client's ticket is sealed under |key|. */
static void has_key(const struct rig *r, const struct tls_ticket_key *key)
{
	const unsigned char *ticket;
	size_t len;

	SSL_SESSION_get0_ticket(r->session, &ticket, &len);
	assert_true(len > sizeof(key->id));
	assert_memory_equal(ticket, key->id, sizeof(key->id));
}

static void a_session_is_resumed(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		has_key(&r, &r.tickets.now);
		resumes(&r);
		resumes(&r);
		/* One each in TLS 1.3; in TLS 1.2 the old one is as good. */
		assert_int_equal(r.given, versions[i] == TLS1_3_VERSION);
		rig_done(&r);
	}
}

static void also_after_a_reload(void **state)
{
	const struct testcert_opts opts = { .names = "localhost" };
	struct testcert *renewed = testcert_new(&opts);
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		r.opts.certificate = testcert_pem(renewed);
		r.opts.key = testcert_key(renewed);
		replace(&r);
		resumes(&r);
		rig_done(&r);
	}
	testcert_free(&renewed);
}

static void also_at_a_certificate_chosen_by_name(void **state)
{
	const struct testcert_opts opts = { .names = "other.example" };
	struct testcert *cert = testcert_new(&opts);
	struct tls_ctx *other;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		rig_init(&r, versions[i]);
		r.opts.certificate = testcert_pem(cert);
		r.opts.key = testcert_key(cert);
		other = server(&r);
		tls_server_also(r.server, other);
		tls_ctx_free(&other);
		connect_to(&r, "other.example");
		assert_false(r.resumed);
		connect_to(&r, "other.example");
		assert_true(r.resumed);
		rig_done(&r);
	}
	testcert_free(&cert);
}

/* A key is taken for one rotation more, and the client moves to the new. */
static void keys_change(void **state)
{
	SSL_SESSION *first;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		first = r.session; /* kept: a client may try again with it */
		assert_int_equal(SSL_SESSION_up_ref(first), 1);
		tls_tickets_rotate(&r.tickets);
		resumes(&r);
		has_key(&r, &r.tickets.now);
		tls_tickets_rotate(&r.tickets);
		resumes(&r); /* the new one */
		SSL_SESSION_free(r.session);
		r.session = first;
		does_not_resume(&r);
		rig_done(&r);
	}
}

/* The keys are a value: another process that has it goes on. */
static void whoever_has_the_keys_goes_on(void **state)
{
	struct tls_tickets copy;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		copy = r.tickets;
		r.opts.tickets = &copy;
		replace(&r);
		resumes(&r);
		tls_tickets_init(&copy);
		does_not_resume(&r);
		rig_done(&r);
	}
}

/* What the operator ruled out does not live on in a ticket. */
static void not_past_another_policy(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		r.opts.ciphers = "ECDHE+AESGCM";
		replace(&r);
		does_not_resume(&r);
		resumes(&r);
		rig_done(&r);
	}
}

static void a_forged_ticket_is_none(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, versions[i]);
		r.tickets.now.mac[31] ^= 1;
		does_not_resume(&r);
		rig_done(&r);
	}
}

static void without_keys_there_are_no_tickets(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		rig_init(&r, versions[i]);
		r.opts.tickets = NULL;
		replace(&r);
		does_not_resume(&r);
		does_not_resume(&r);
		assert_true(r.session == NULL ||
		            SSL_SESSION_has_ticket(r.session) == 0);
		rig_done(&r);
	}
}

static void keys_are_wiped(void **state)
{
	static const struct tls_tickets none;
	struct tls_tickets t;

	(void)state;
	tls_tickets_init(&t);
	assert_memory_not_equal(&t.now, &t.before, sizeof(t.now));
	assert_memory_not_equal(&t.now, &none.now, sizeof(t.now));
	tls_tickets_done(&t);
	assert_memory_equal(&t, &none, sizeof(t));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_resumed),
		cmocka_unit_test(also_after_a_reload),
		cmocka_unit_test(also_at_a_certificate_chosen_by_name),
		cmocka_unit_test(keys_change),
		cmocka_unit_test(whoever_has_the_keys_goes_on),
		cmocka_unit_test(not_past_another_policy),
		cmocka_unit_test(a_forged_ticket_is_none),
		cmocka_unit_test(without_keys_there_are_no_tickets),
		cmocka_unit_test(keys_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
