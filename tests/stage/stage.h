/* SPDX-License-Identifier: ISC */
/*
 * stage - a whole proxy on the fakes, with one client and one backend that the
 * test plays line by line.
 */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include "fake/fake.h"
#include "proxy/proxy.h"
#include "stage/fake_service.h"

/* Users of this domain are those of a second backend, which stage_init leaves
 * out of the counts. */
#define STAGE_SOUTH "south.example"
#define STAGE_SOUTH_PORT 1143

struct stage {
	struct dial_target targets[2];
	struct routes routes;
	struct loop *loop;
	struct resolver *resolver;
	struct service *service;
	struct proxy_opts opts;
	const char *mechanisms; /* "AUTH=PLAIN" and others, for the probe */
	struct proxy *proxy;
	struct fake_peer *probe;
	struct fake_peer *client;
	struct fake_peer *backend;
};

#define STAGE_GREETING \
	"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN] ready\r\n"
/* With the mechanisms, for the probe. */
#define STAGE_GREETS \
	"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID %s] ready\r\n"

/* stage_init makes loop, service and default options; change them, then
 * stage_start opens the proxy, whose probe succeeds. */
void stage_init(struct stage *st);
void stage_start(struct stage *st);
void stage_done(struct stage *st);

/* stage_probe lets the oldest dial that waits, or the next, be a probe that
 * succeeds. */
void stage_probe(struct stage *st);

/* stage_client connects a client and forgets the greeting. */
void stage_client(struct stage *st);

/* stage_dialled lets the dial that waits, or the next, reach a backend that
 * greets. */
void stage_dialled(struct stage *st);

/* stage_login connects a client and logs "user" in; nothing is left to read. */
void stage_login(struct stage *st);

/* stage_login_as logs |user| in with |reply| as all that the backend says to
 * the login, whose tag is "L". */
void stage_login_as(struct stage *st, const char *user, const char *reply);

/* stage_c and stage_b: the client or backend sends |text|. */
void stage_c(struct stage *st, const char *text);
void stage_b(struct stage *st, const char *text);

/* stage_sees_c and stage_sees_b want all that the client or backend received
 * since the last such question to be |text|. */
#define stage_sees_c(st, text) stage_sees((st)->client, text, __LINE__)
#define stage_sees_b(st, text) stage_sees((st)->backend, text, __LINE__)
void stage_sees(struct fake_peer *peer, const char *text, int line);

#endif
