/* SPDX-License-Identifier: ISC */
/* resolve, dial and listen, against each other on the loopback. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/metric.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/network.h"
#include "net/preamble.h"
#include "testnet/testcert.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

enum { ACCEPTED_MAX = 64 };

/* A label of 64 octets: no resolver needs to be asked to know that it does not
 * exist, so that the test needs no network. */
#define NO_NAME \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.org"

struct rig {
	struct testnet net;
	struct resolver *resolver;
	struct listener *listener;
	uint16_t port;
	bool free_in_accept;
	int accepted[ACCEPTED_MAX];
	size_t accepted_count;
	const struct dial_from *from;
	struct dial *dial;
	struct end end;
	int calls;
	int rc;
	char why[384];
	size_t addresses;
	struct resolve_address first;
};

static void on_accept(void *arg, int fd)
{
	struct rig *rig = arg;

	assert_true(rig->accepted_count < ACCEPTED_MAX);
	rig->accepted[rig->accepted_count++] = fd;
	if (rig->free_in_accept)
		listener_free(&rig->listener);
	testnet_check(&rig->net);
}

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	testnet_init(&rig->net);
	end_init(&rig->end, &rig->net, NULL);
	rig->resolver = resolver_new(rig->net.loop);
	assert_ok(listener_open(rig->net.loop, "127.0.0.1", 0, on_accept, rig,
	                        &rig->listener, NULL));
	rig->port = listener_port(rig->listener);
	assert_true(rig->port > 0);
}

static void close_accepted(struct rig *rig)
{
	while (rig->accepted_count > 0)
		assert_ok(close(rig->accepted[--rig->accepted_count]));
}

static void rig_done(struct rig *rig)
{
	end_done(&rig->end);
	dial_cancel(&rig->dial);
	resolver_free(&rig->resolver);
	listener_free(&rig->listener);
	close_accepted(rig);
	testnet_done(&rig->net);
}

static void on_dialed(void *arg, int rc, struct stream *stream, const char *why)
{
	struct rig *rig = arg;

	rig->dial = NULL;
	rig->calls++;
	rig->rc = rc;
	(void)snprintf(rig->why, sizeof(rig->why), "%s", why);
	if (stream != NULL)
		end_init(&rig->end, &rig->net, stream);
	testnet_check(&rig->net);
}

static bool was_called(void *arg)
{
	const struct rig *rig = arg;

	return rig->calls > 0;
}

static bool was_accepted(void *arg)
{
	const struct rig *rig = arg;

	return rig->accepted_count > 0;
}

static void dial(struct rig *rig, const struct dial_target *target,
                 uint64_t deadline_ms)
{
	rig->calls = 0;
	rig->dial = dial_start(rig->net.loop, rig->resolver, target, rig->from,
	                       deadline_ms, on_dialed, rig);
	assert_int_equal(rig->calls, 0);
	testnet_run(&rig->net, was_called, rig);
	assert_int_equal(rig->calls, 1);
}

/* expect_why compares with |fmt|, in which %u is the port. */
static void expect_why(const struct rig *rig, int rc, const char *before,
                       const char *after)
{
	char wanted[384];

	assert_int_equal(rig->rc, rc);
	(void)snprintf(wanted, sizeof(wanted), "%s%u%s", before,
	               (unsigned int)rig->port, after);
	assert_string_equal(rig->why, wanted);
}

/* --- dial ----------------------------------------------------------------- */

static void note_connects(void *arg, const struct metric_sample *sample)
{
	int64_t *count = arg;

	if (strcmp(sample->name,
	           "imapbell_backend_connect_duration_seconds_count") == 0)
		*count = sample->value;
}

/* connects_counted is how many took a time that was counted. */
static int64_t connects_counted(void)
{
	int64_t count = -1;

	metric_show(0, note_connects, &count);
	return count;
}

static void connects(void **state)
{
	struct dial_target target = { .host = "127.0.0.1" };
	int64_t before = connects_counted();
	struct rig rig;

	(void)state;
	rig_init(&rig);
	target.port = rig.port;
	dial(&rig, &target, 5000);
	assert_int_equal(rig.rc, ERR_OK);
	testnet_run(&rig.net, was_accepted, &rig);
	assert_int_equal(connects_counted(), before);
	assert_int_equal(send(rig.accepted[0], "hello", 5, 0), 5);
	end_wait(&rig.end, 5);
	rig_done(&rig);
}

static void connects_by_name(void **state)
{
	struct dial_target target = { .host = "localhost", .is_backend = true };
	int64_t before = connects_counted();
	struct rig rig;

	(void)state;
	rig_init(&rig);
	/* ::1 may come first, where nobody listens. */
	target.port = rig.port;
	dial(&rig, &target, 5000);
	assert_int_equal(rig.rc, ERR_OK);
	assert_int_equal(connects_counted(), before + 1);
	rig_done(&rig);
}

static void refused(void **state)
{
	struct dial_target target = { .host = "127.0.0.1" };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	listener_free(&rig.listener);
	target.port = rig.port;
	dial(&rig, &target, 5000);
	expect_why(&rig, ERR_CLOSED,
	           "connect to 127.0.0.1:", ": Connection refused");
	rig_done(&rig);
}

static void no_such_name(void **state)
{
	const struct dial_target target = { .host = NO_NAME, .port = 993 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	dial(&rig, &target, 9000);
	assert_int_equal(rig.rc, ERR_DNS);
	assert_memory_equal(rig.why, "resolve " NO_NAME ": ", 78);
	rig_done(&rig);
}

/* The header is the first that goes out, whoever it is for. */
static void says_for_whom_it_is(void **state)
{
	static const char for_client[] =
		"PROXY TCP4 192.0.2.7 198.51.100.1 4711 993\r\n";
	static const char for_us[] = "PROXY UNKNOWN\r\n";
	struct dial_target target = { .host = "127.0.0.1",
		                      .forward = DIAL_FORWARD_PROXY_V1 };
	const struct address client = { AF_INET, 4711, { 192, 0, 2, 7 } };
	const struct address listener = { AF_INET, 993, { 198, 51, 100, 1 } };
	const struct dial_from from = { &client, &listener, STR_NULL };

	(void)state;
	for (int own = 0; own <= 1; own++) {
		const char *header = own != 0 ? for_us : for_client;
		char got[128];
		struct rig rig;

		rig_init(&rig);
		target.port = rig.port;
		rig.from = own != 0 ? NULL : &from;
		dial(&rig, &target, 5000);
		assert_int_equal(rig.rc, ERR_OK);
		testnet_run(&rig.net, was_accepted, &rig);
		assert_ok(stream_write(rig.end.stream, STR("a1 NOOP\r\n")));
		testnet_spin(&rig.net, 2);
		assert_int_equal(recv(rig.accepted[0], got, sizeof(got), 0),
		                 strlen(header) + 9);
		assert_memory_equal(got, header, strlen(header));
		rig_done(&rig);
	}
}

/* The peer accepts and then says nothing: only the deadline ends that. */
static void silent_tls_peer(void **state)
{
	struct testcert_opts opts = { .names = "CA", .is_ca = true };
	struct dial_target target = { .host = "127.0.0.1" };
	struct testcert *ca = testcert_new(&opts);
	struct rig rig;
	uint64_t start;
	uint64_t deadline_ms = 30;

	(void)state;
	rig_init(&rig);
	target.port = rig.port;
	target.tls = testcert_client(ca, NULL);
	do { /* again if the machine is too busy to connect in that time */
		deadline_ms *= 2;
		start = loop_now_ms(rig.net.loop);
		dial(&rig, &target, deadline_ms);
		assert_true(loop_now_ms(rig.net.loop) - start >= deadline_ms);
	} while (strncmp(rig.why, "connect", 7) == 0 && deadline_ms < 8000);
	expect_why(&rig, ERR_TIMEOUT, "tls with 127.0.0.1:", ": timed out");
	tls_ctx_free(&target.tls);
	testcert_free(&ca);
	rig_done(&rig);
}

/* accept_tls makes each accepted descriptor a TLS server's. */
struct tls_rig {
	struct rig rig;
	struct testcert *ca;
	struct testcert *cert;
	struct tls_ctx *server_tls;
	struct listener *listener;
	struct preambles *preambles; /* in front of it, or NULL */
	struct end server;
};

static void on_accept_tls(void *arg, int fd)
{
	struct tls_rig *t = arg;

	end_done(&t->server);
	end_init(&t->server, &t->rig.net,
	         stream_accepted(t->rig.net.loop, fd, t->server_tls));
}

static void tls_rig_init(struct tls_rig *t)
{
	struct testcert_opts opts = { .names = "CA", .is_ca = true };

	*t = (struct tls_rig){ 0 };
	rig_init(&t->rig);
	end_init(&t->server, &t->rig.net, NULL);
	t->ca = testcert_new(&opts);
	opts.is_ca = false;
	opts.issuer = t->ca;
	opts.names = "mail.example.org";
	t->cert = testcert_new(&opts);
	t->server_tls = testcert_server(t->cert, NULL);
	assert_ok(listener_open(t->rig.net.loop, "127.0.0.1", 0, on_accept_tls,
	                        t, &t->listener, NULL));
	t->rig.port = listener_port(t->listener);
}

static void tls_rig_done(struct tls_rig *t)
{
	end_done(&t->server);
	listener_free(&t->listener);
	tls_ctx_free(&t->server_tls);
	testcert_free(&t->cert);
	testcert_free(&t->ca);
	rig_done(&t->rig);
}

static void tls_dial(void **state)
{
	struct dial_target target = { .host = "localhost",
		                      .name = "mail.example.org" };
	struct tls_rig t;

	(void)state;
	tls_rig_init(&t);
	target.port = t.rig.port;
	target.tls = testcert_client(t.ca, NULL);
	dial(&t.rig, &target, 5000);
	assert_int_equal(t.rig.rc, ERR_OK);
	assert_true(stream_is_tls(t.rig.end.stream));
	/* Bytes that came before the owner did are not lost. */
	testnet_run(&t.rig.net, end_is_open, &t.server);
	assert_ok(stream_write(t.server.stream, STR("* OK\r\n")));
	end_wait(&t.rig.end, 6);
	tls_ctx_free(&target.tls);
	tls_rig_done(&t);
}

/* on_preamble: the header is off, what follows is the handshake. */
static void on_preamble(void *arg, const struct preamble *p)
{
	struct tls_rig *t = arg;

	assert_int_equal(p->rc, ERR_OK);
	assert_true(p->header.is_local && p->header.version == PROXY_V2);
	on_accept_tls(t, p->fd);
}

static void on_accept_header(void *arg, int fd)
{
	struct tls_rig *t = arg;

	preambles_add(t->preambles, fd);
}

/* The header goes in plain, in front of the handshake. */
static void tls_behind_a_header(void **state)
{
	struct dial_target target = { .host = "localhost",
		                      .name = "mail.example.org",
		                      .forward = DIAL_FORWARD_PROXY_V2 };
	struct network loopback;
	const struct preamble_opts opts = { .trusted = &loopback,
		                            .trusted_count = 1,
		                            .max = 1,
		                            .timeout_ms = 5000 };
	struct tls_rig t;

	(void)state;
	assert_ok(network_parse(STR("127.0.0.0/8"), &loopback));
	tls_rig_init(&t);
	listener_free(&t.listener);
	t.preambles = preambles_new(t.rig.net.loop, &opts, on_preamble, &t);
	assert_ok(listener_open(t.rig.net.loop, "127.0.0.1", 0,
	                        on_accept_header, &t, &t.listener, NULL));
	target.port = listener_port(t.listener);
	target.tls = testcert_client(t.ca, NULL);
	dial(&t.rig, &target, 5000);
	assert_int_equal(t.rig.rc, ERR_OK);
	assert_true(stream_is_tls(t.rig.end.stream));
	testnet_run(&t.rig.net, end_is_open, &t.server);
	tls_ctx_free(&target.tls);
	preambles_free(&t.preambles);
	tls_rig_done(&t);
}

static void tls_refusals_name_host_and_culprit(void **state)
{
	struct testcert_opts opts = { .names = "Another", .is_ca = true };
	struct dial_target target = { .host = "localhost" };
	struct testcert *stranger = testcert_new(&opts);
	struct tls_rig t;

	(void)state;
	tls_rig_init(&t);
	target.port = t.rig.port;
	target.tls = testcert_client(t.ca, NULL);
	dial(&t.rig, &target, 5000);
	expect_why(&t.rig, ERR_UNTRUSTED, "tls with localhost:",
	           " (127.0.0.1): certificate is for mail.example.org, "
	           "not localhost");
	tls_ctx_free(&target.tls);

	target.name = "mail.example.org";
	target.tls = testcert_client(stranger, NULL);
	dial(&t.rig, &target, 5000);
	expect_why(&t.rig, ERR_UNTRUSTED, "tls with localhost:",
	           " (127.0.0.1): certificate not trusted: "
	           "issuer \"CA\" unknown");
	tls_ctx_free(&target.tls);
	testcert_free(&stranger);
	tls_rig_done(&t);
}

static bool never(void *arg)
{
	(void)arg;
	return true;
}

static void canceled_at_any_time(void **state)
{
	struct dial_target target = { .host = "localhost",
		                      .name = "mail.example.org" };
	struct tls_rig t;

	(void)state;
	tls_rig_init(&t);
	target.port = t.rig.port;
	target.tls = testcert_client(t.ca, NULL);
	for (int turns = 0; turns < 12; turns++) {
		t.rig.calls = 0;
		t.rig.dial = dial_start(t.rig.net.loop, t.rig.resolver, &target,
		                        NULL, 5000, on_dialed, &t.rig);
		testnet_spin(&t.rig.net, turns);
		if (t.rig.calls > 0)
			break;
		dial_cancel(&t.rig.dial);
		assert_null(t.rig.dial);
		testnet_spin(&t.rig.net, 20);
		assert_int_equal(t.rig.calls, 0);
	}
	testnet_run(&t.rig.net, never, NULL);
	tls_ctx_free(&target.tls);
	tls_rig_done(&t);
}

/* --- resolve -------------------------------------------------------------- */

static void on_resolved(void *arg, int rc, const struct resolve_address *list,
                        size_t count, const char *why)
{
	struct rig *rig = arg;

	rig->calls++;
	rig->rc = rc;
	rig->addresses = count;
	if (count > 0)
		rig->first = list[0];
	(void)snprintf(rig->why, sizeof(rig->why), "%s", why);
	testnet_check(&rig->net);
}

static bool three_calls(void *arg)
{
	const struct rig *rig = arg;

	return rig->calls == 3;
}

static void numeric_addresses_need_no_thread(void **state)
{
	char text[ADDRESS_TEXT_MAX];
	struct resolve *q;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	q = resolve_start(rig.resolver, "2001:db8::1", 993, on_resolved, &rig);
	assert_non_null(q);
	assert_int_equal(rig.calls, 0);
	testnet_spin(&rig.net, 1);
	assert_int_equal(rig.calls, 1);
	address_text((const struct sockaddr *)&rig.first.addr, text,
	             sizeof(text));
	assert_string_equal(text, "[2001:db8::1]:993");
	(void)resolve_start(rig.resolver, "192.0.2.7", 143, on_resolved, &rig);
	testnet_spin(&rig.net, 1);
	address_text((const struct sockaddr *)&rig.first.addr, text,
	             sizeof(text));
	assert_string_equal(text, "192.0.2.7:143");
	rig_done(&rig);
}

static void lookups_of_one_name_are_one(void **state)
{
	struct resolve *queries[4];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (uint16_t i = 0; i < 4; i++)
		queries[i] =
			resolve_start(rig.resolver, "localhost",
		                      (uint16_t)(100 + i), on_resolved, &rig);
	resolve_cancel(&queries[1]);
	assert_null(queries[1]);
	testnet_run(&rig.net, three_calls, &rig);
	assert_int_equal(rig.rc, ERR_OK);
	assert_int_equal(address_port((const struct sockaddr *)&rig.first.addr),
	                 103);
	testnet_spin(&rig.net, 5);
	assert_int_equal(rig.calls, 3);
	rig_done(&rig);
}

static void resolver_goes_with_queries_open(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	(void)resolve_start(rig.resolver, "localhost", 1, on_resolved, &rig);
	(void)resolve_start(rig.resolver, "192.0.2.1", 1, on_resolved, &rig);
	resolver_free(&rig.resolver);
	testnet_spin(&rig.net, 5);
	assert_int_equal(rig.calls, 0);
	rig_done(&rig);
}

/* --- listen --------------------------------------------------------------- */

/* connect_to opens a connection to the loopback. Returns it, or -1. */
static int connect_to(int family, uint16_t port)
{
	struct sockaddr_in four = { .sin_family = AF_INET,
		                    .sin_port = htons(port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(port),
		                    .sin6_addr = in6addr_loopback };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	rc = family == AF_INET
	             ? connect(fd, (struct sockaddr *)&four, sizeof(four))
	             : connect(fd, (struct sockaddr *)&six, sizeof(six));
	if (rc == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void both_families_share_a_port(void **state)
{
	struct rig rig;
	uint16_t port;
	int four;
	int six;

	(void)state;
	rig_init(&rig);
	listener_free(&rig.listener);
	assert_ok(listener_open(rig.net.loop, "*", 0, on_accept, &rig,
	                        &rig.listener, NULL));
	port = listener_port(rig.listener);
	four = connect_to(AF_INET, port);
	assert_true(four >= 0);
	six = connect_to(AF_INET6, port);
	if (six < 0) /* a machine without IPv6 */
		print_message("no IPv6 here\n");
	testnet_run(&rig.net, was_accepted, &rig);
	(void)close(four);
	if (six >= 0)
		(void)close(six);
	rig_done(&rig);
}

static void port_in_use(void **state)
{
	struct listener *second = NULL;
	struct err_detail detail;
	char wanted[128];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(listener_open(rig.net.loop, "127.0.0.1", rig.port,
	                               on_accept, &rig, &second, &detail),
	                 ERR_PERMISSION);
	(void)snprintf(wanted, sizeof(wanted),
	               "listen on 127.0.0.1:%u: Address already in use",
	               (unsigned int)rig.port);
	assert_string_equal(detail.text, wanted);
	assert_int_equal(listener_open(rig.net.loop, NO_NAME, 0, on_accept,
	                               &rig, &second, &detail),
	                 ERR_DNS);
	assert_null(second);
	rig_done(&rig);
}

/* Main binds once and gives each worker a socket of its own on that port. */
static void shared_port(void **state)
{
	int first[4];
	int second[4];
	size_t count = 0;
	struct listener *l;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_ok(listen_bind("127.0.0.1", 0, true, first, 4, &count, NULL));
	assert_int_equal(count, 1);
	l = listener_new(rig.net.loop, first, count, on_accept, &rig);
	assert_ok(listen_bind("127.0.0.1", listener_port(l), true, second, 4,
	                      &count, NULL));
	assert_ok(close(second[0]));
	listener_free(&l);
	rig_done(&rig);
}

static void paused_listener_lets_them_wait(void **state)
{
	struct rig rig;
	int fd;

	(void)state;
	rig_init(&rig);
	listener_pause(rig.listener);
	fd = connect_to(AF_INET, rig.port);
	testnet_spin(&rig.net, 10);
	assert_int_equal(rig.accepted_count, 0);
	listener_resume(rig.listener);
	testnet_run(&rig.net, was_accepted, &rig);
	assert_ok(close(fd));
	rig_done(&rig);
}

static void freed_inside_accept(void **state)
{
	struct rig rig;
	int fds[3];

	(void)state;
	rig_init(&rig);
	rig.free_in_accept = true;
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(AF_INET, rig.port);
	testnet_run(&rig.net, was_accepted, &rig);
	assert_null(rig.listener);
	testnet_spin(&rig.net, 5);
	assert_int_equal(rig.accepted_count, 1);
	for (int i = 0; i < 3; i++)
		assert_ok(close(fds[i]));
	rig_done(&rig);
}

/* Out of descriptors: no spinning, and accepting goes on by itself. */
static void descriptors_run_out(void **state)
{
	struct rlimit old;
	struct rlimit low;
	struct rig rig;
	uint64_t start;
	int fd;

	(void)state;
	rig_init(&rig);
	fd = connect_to(AF_INET, rig.port);
	assert_ok(getrlimit(RLIMIT_NOFILE, &old));
	low = old;
	low.rlim_cur = 3;
	assert_ok(setrlimit(RLIMIT_NOFILE, &low));
	testnet_spin(&rig.net, 10);
	assert_int_equal(rig.accepted_count, 0);
	assert_ok(setrlimit(RLIMIT_NOFILE, &old));
	start = loop_now_ms(rig.net.loop);
	testnet_run(&rig.net, was_accepted, &rig);
	assert_true(loop_now_ms(rig.net.loop) - start >= 100);
	assert_ok(close(fd));
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(connects_by_name),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_such_name),
		cmocka_unit_test(silent_tls_peer),
		cmocka_unit_test(says_for_whom_it_is),
		cmocka_unit_test(tls_dial),
		cmocka_unit_test(tls_behind_a_header),
		cmocka_unit_test(tls_refusals_name_host_and_culprit),
		cmocka_unit_test(canceled_at_any_time),
		cmocka_unit_test(numeric_addresses_need_no_thread),
		cmocka_unit_test(lookups_of_one_name_are_one),
		cmocka_unit_test(resolver_goes_with_queries_open),
		cmocka_unit_test(both_families_share_a_port),
		cmocka_unit_test(port_in_use),
		cmocka_unit_test(shared_port),
		cmocka_unit_test(paused_listener_lets_them_wait),
		cmocka_unit_test(freed_inside_accept),
		cmocka_unit_test(descriptors_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
