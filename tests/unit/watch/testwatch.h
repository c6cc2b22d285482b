/* SPDX-License-Identifier: ISC */
/*
 * testwatch - a push side with a key for logins, and a backend that the test
 * plays: Dovecot's words, a step at a time.
 */
#ifndef WATCH_TESTWATCH_H
#define WATCH_TESTWATCH_H

#include "push/testpush.h"
#include "store/teststore.h"
#include "watch/watcher.h"

/* Users of this domain are those of a second backend. */
#define TESTWATCH_SOUTH "south.example"
#define TESTWATCH_SOUTH_PORT 1143

struct testwatch {
	struct testdir dir;
	struct testpush p;
	struct seal *seal;
	struct secret *secret;
	struct resolver *resolver;
	struct dial_target targets[2]; /* the second one by a route */
	struct routes routes;
	struct watch_opts opts; /* the defaults, to be changed */
};

void testwatch_init(struct testwatch *t);
void testwatch_done(struct testwatch *t);

/* testwatch_env is what watchers of the first backend stand on, by now. */
struct watcher_env testwatch_env(const struct testwatch *t);

/* testwatch_login keeps a sealed login of |user|: its name and |password|. */
void testwatch_login(struct testwatch *t, const char *user,
                     const char *password);

/* testwatch_user does that and registers a phone "t-<user>" for the INBOX. */
void testwatch_user(struct testwatch *t, const char *user);

/* testwatch_master: "master" logs in for all, in that way; of a user
 * testwatch_shown registers a phone "t-<user>", keeps the name, and has a
 * session show the INBOX with UIDVALIDITY 7 and |uidnext|. */
void testwatch_master(struct testwatch *t, enum watch_login_mode mode);
void testwatch_shown(struct testwatch *t, const char *user, uint32_t uidnext);

/* testwatch_says sends |text| from the backend and runs the loop;
 * testwatch_heard wants just |text| to have come since it was asked last. */
void testwatch_says(struct testwatch *t, struct fake_peer *peer,
                    const char *text);
void testwatch_heard(struct testwatch *t, struct fake_peer *peer,
                     const char *text);

/* The base64 of "\0anna\0pw". */
#define TESTWATCH_ANNA "AGFubmEAcHc="

/* Those of "anna\0master\0secret" and "\0master\0secret". */
#define TESTWATCH_FOR_ANNA "YW5uYQBtYXN0ZXIAc2VjcmV0"
#define TESTWATCH_MASTER "AG1hc3RlcgBzZWNyZXQ="

#define TESTWATCH_GREETING "* OK [CAPABILITY IMAP4rev1 SASL-IR IDLE] hello\r\n"
#define TESTWATCH_STATUS \
	"W1 STATUS INBOX (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"

/* testwatch_log_in brings it from the greeting to the STATUS command, which is
 * not answered; testwatch_listen from there to IDLE, with |uidnext| and one
 * message less than that; testwatch_bring_up does both. */
void testwatch_log_in(struct testwatch *t, struct fake_peer *peer);
void testwatch_listen(struct testwatch *t, struct fake_peer *peer,
                      uint32_t uidnext);
void testwatch_bring_up(struct testwatch *t, struct fake_peer *peer,
                        uint32_t uidnext);

#endif
