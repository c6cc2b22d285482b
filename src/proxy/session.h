/* SPDX-License-Identifier: ISC */
/*
 * session - one client, from accept to the end: its two streams and framers,
 * its timers, what is said to it and how it ends. What its bytes mean is
 * decided in client (before and after login), login, relay and register.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/str.h"
#include "imap/capability.h"
#include "imap/framer.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "proxy/ask.h"
#include "proxy/collect.h"
#include "proxy/inflight.h"
#include "proxy/proxy.h"
#include "proxy/relay.h"
#include "proxy/session_state.h"

struct backend;
struct backends;
struct door;
struct intercept;
struct login;
struct proxy_header;
struct registration;
struct sasl;
struct sessions;
struct sessions_host;

/* What all sessions of a proxy share; borrowed from the proxy. */
struct session_env {
	struct loop *loop;
	struct resolver *resolver;
	struct service *service;
	struct backends *backends;
	struct sessions *sessions;
	const struct proxy_opts *opts;
};

struct session {
	struct log_ctx log;
	const struct session_env *env;
	const struct door *door;      /* where it came in; borrowed */
	struct address client_addr;   /* who it is, for limits and log lines */
	struct address server_addr;   /* where it believes to have come to */
	TAILQ_ENTRY(session) link;    /* all, the oldest first */
	TAILQ_ENTRY(session) pending; /* of them, not logged in yet */
	TAILQ_ENTRY(session) of_host; /* of those, from one address */
	struct sessions_host *host;   /* NULL: logged in */

	enum session_state state;
	enum session_input input;
	struct stream *client;
	struct stream *backend; /* NULL before login */
	struct backend *server; /* which one; known from the name on */
	bool client_paused;
	bool backend_paused;
	bool client_ended; /* FIN: it waits for its last replies */
	struct imap_framer from_client;
	struct imap_framer from_backend;
	uint64_t bytes_in;  /* from the client */
	uint64_t bytes_out; /* to it */

	/* One timer: the login's deadline, a refusal's delay, idleness. */
	struct loop_timer *timer;
	uint64_t active_ms;

	/* The client's commands. */
	struct inflight inflight;
	struct collect collect;
	const struct intercept *collecting; /* who will get it */
	struct imap_frame held_frame;       /* INPUT_HELD */
	struct buf held_text;

	/* Before login. */
	unsigned bad_commands;
	unsigned login_failures;
	unsigned login_attempts;
	struct login *login;   /* SESSION_LOGIN and SESSION_REFUSED */
	struct sasl *sasl;     /* what of AUTHENTICATE came before that */
	struct str client_id;  /* what its ID said, but for x-*; owned */
	unsigned proxies_left; /* how many more may follow, see imap/id */

	/* After login. */
	struct str user;               /* as authenticated; owned */
	struct imap_login *kept;       /* for 60 s, then NULL */
	struct loop_timer *kept_timer; /* its end */
	bool is_offered;               /* XAPPLEPUSHSERVICE */
	struct str topic;              /* then; the service's */
	struct relay relay;
	struct registration *registration; /* while one is under way */
	struct asks asks;                  /* our STATUS commands, open */
	bool traced;
};

/* session_new begins with a client on |fd| that came in by |door|; |said| as in
 * sessions_accept. */
struct session *session_new(const struct session_env *env, int fd, uint64_t id,
                            const struct door *door,
                            const struct proxy_header *said);

/* session_free is the sweeper's: |*s| is closed. */
void session_free(struct session **s);

/* session_set_state and session_set_input move on, as the tables in
 * session_state.c allow. */
void session_set_state(struct session *s, enum session_state to);
void session_set_input(struct session *s, enum session_input to);

/*
 * session_update makes the streams flow or pause as state, input and high
 * water say. For events that come neither from the client nor the backend.
 */
void session_update(struct session *s);

/* session_to_client and session_to_backend write. A peer that does not read
 * ends the session, and so does a client that is lost; what is for a backend
 * that is lost goes nowhere, until its stream says so. */
void session_to_client(struct session *s, struct str bytes);
void session_to_backend(struct session *s, struct str bytes);

/* session_may_insert: the client's stream stands between two responses. */
bool session_may_insert(const struct session *s);

/*
 * session_reply answers the command |tag| with "OK ...", "NO ..." or "BAD ...",
 * after |untagged| lines (with their line ends, may be empty), in the order of
 * the client's commands and between two responses. An empty |tag| makes it an
 * untagged "* BAD ...".
 */
void session_reply(struct session *s, struct str tag, struct str untagged,
                   const char *text);

/* session_answer does that with lines that are ready. */
void session_answer(struct session *s, struct str lines);

/* session_go_ahead asks the client for more: "+ " and |text|. */
void session_go_ahead(struct session *s, const char *text);

/* session_bye says `* BYE text` if the stream stands between two responses,
 * and closes. */
void session_bye(struct session *s, const char *text);

/* session_close ends it: what was written still goes out. Freed later. */
void session_close(struct session *s, const char *why);

/* session_drop_backend closes the backend's connection, if there is one. */
void session_drop_backend(struct session *s);

/* session_take_backend makes |stream| the session's backend. */
void session_take_backend(struct session *s, struct stream *stream);

/* session_policy is how capability lists are shown to this user. */
struct imap_capability_policy session_policy(const struct session *s);

/* session_set_traced: those of |user| are, or everybody's. */
void session_set_traced(struct session *s, struct str user);

/* session_trace logs one frame if this user is traced; |from| is "client" or
 * "backend". */
void session_trace(const struct session *s, const char *from,
                   const struct imap_frame *frame, bool secret);

/* session_trace_response does so with the first line of |response|, |from|
 * being "backend" or, where it is ours, "imapbell". */
void session_trace_response(const struct session *s, const char *from,
                            struct str response);

#endif
