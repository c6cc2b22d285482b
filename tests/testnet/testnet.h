/* SPDX-License-Identifier: ISC */
/*
 * testnet - two ends of a real loopback connection as streams that record what
 * happens to them, and a loop that runs until a condition holds. Nothing waits
 * for time to pass: a guard ends a test that hangs.
 */
#ifndef TESTNET_TESTNET_H
#define TESTNET_TESTNET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "testnet/testcert.h"

struct end;

typedef bool end_cond(void *arg);

/* What is to hold before testnet_run returns. */
struct testnet {
	struct loop *loop;
	end_cond *until;
	void *arg;
};

/* One end: what it heard, and how it behaves. */
struct end {
	struct testnet *net;
	struct stream *stream;
	struct buf got;
	size_t take_max;   /* consume at most that many a call; 0: all */
	bool resume_later; /* resume on the next turn after such a call */
	bool echo;         /* write back what comes */
	bool close_in_open;
	bool close_in_data;
	bool close_in_eof;
	bool close_in_error;
	bool abort_in_data;
	int opens;
	int eofs;
	int drains;
	int errors;
	int events; /* all of the above, and data */
	int rc;
	char why[384];
};

void testnet_init(struct testnet *net);
void testnet_done(struct testnet *net);

/* testnet_run turns the loop until |until| holds; fails after 60 s. */
void testnet_run(struct testnet *net, end_cond *until, void *arg);

/* testnet_spin makes |turns| turns of the loop, without sleep between. */
void testnet_spin(struct testnet *net, int turns);

/* testnet_check is to be called from events of a test's own. */
void testnet_check(struct testnet *net);

/* testnet_pair returns two connected, non-blocking TCP descriptors. */
void testnet_pair(int fds_r[2]);

/* end_init makes |e| the owner of |stream|, end_done closes what is left. */
void end_init(struct end *e, struct testnet *net, struct stream *stream);
void end_done(struct end *e);

/* end_write writes all of |bytes|. */
void end_write(struct end *e, struct str bytes);

/* Conditions for testnet_run; |arg| is a struct end. */
bool end_is_open(void *arg);
bool end_has_eof(void *arg);
bool end_has_error(void *arg);

/* end_wait runs until |e| has got |len| bytes in all. */
void end_wait(struct end *e, size_t len);

/* A server end and a client end, connected to each other. */
enum kind { PLAIN, TLS12, TLS13, KINDS };

struct pair {
	struct testnet net;
	struct testcert *ca;
	struct testcert *cert;
	struct tls_ctx *server_tls;
	struct tls_ctx *client_tls;
	struct end server;
	struct end client;
};

/*
 * pair_init connects the two; pair_open waits for both on_open as well. With
 * TLS the server's certificate is for localhost and 127.0.0.1, from a CA that
 * the client trusts.
 */
void pair_init(struct pair *p, enum kind kind);
void pair_open(struct pair *p, enum kind kind);
void pair_done(struct pair *p);

/* pair_each gives |rule| an open pair of each kind. */
typedef void pair_rule_fn(struct pair *p, enum kind kind);
void pair_each(pair_rule_fn *rule);

/* pair_is_open: both had on_open; a condition, |arg| is a struct pair. */
bool pair_is_open(void *arg);

#endif
