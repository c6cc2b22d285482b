/* SPDX-License-Identifier: ISC */
/*
 * message - what processes say to each other, as octets. Pure: no descriptor,
 * no clock. Who reads a message trusts nothing in it: every length is checked,
 * every text is of the kind that the rooms behind it expect, nothing may be
 * left over, and the same message has only one encoding.
 */
#ifndef PROCESS_MESSAGE_H
#define PROCESS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "imap/login.h"
#include "imap/xaps.h"
#include "push/service.h"

/* A registration has a command's mailboxes, with what is known of each. */
#define MESSAGE_MAX ((size_t)1536 * 1024)
#define MESSAGE_DIGEST_BYTES 32
#define MESSAGE_TOPIC_MAX 255

/* Of all of them. */
enum { MESSAGE_VERSION = 1 };

enum message_type {
	/* From main to a process. */
	MESSAGE_PEER = 1, /* a descriptor comes with it: the worker whose
	                     process id is |id|, or, to a worker, the push
	                     process */
	MESSAGE_RELOAD,
	MESSAGE_TICKETS, /* new keys of session tickets, to workers */
	MESSAGE_DRAIN,   /* without limit if |id| is not 0 */
	MESSAGE_STOP,
	/* From a process to main. */
	MESSAGE_READY,
	MESSAGE_RELOADED, /* what RELOAD brought holds now */
	MESSAGE_CULPRIT,  /* the worker with process id |id| says nonsense */
	/* From the push process to main, and from there to each worker. */
	MESSAGE_OFFER,
	/* From a worker to the push process, each answered under its |id|. */
	MESSAGE_LOOKUP,
	MESSAGE_REGISTER,
	MESSAGE_LOGGED_IN,
	/* And its answers. */
	MESSAGE_LOOKED_UP,
	MESSAGE_DONE,
	MESSAGE_WANTED, /* say it again, with the login itself */
	/* From main to a process: what the next RELOAD brings. */
	MESSAGE_OPTION,
	MESSAGE_FILE,
	/* From a main to the one that follows, besides TICKETS and PEER. */
	MESSAGE_KEY,  /* of digests; all is said now */
	MESSAGE_LEAD, /* it is the one, from now on */
	/* And back, besides READY, CULPRIT, OFFER, DRAIN and STOP. */
	MESSAGE_INTRODUCE, /* the push process is another one */
	/* From main to a process, and its answer: does it turn? */
	MESSAGE_PING,
	MESSAGE_PONG,
	MESSAGE_TYPES
};

struct message_offer {
	struct str topic; /* empty: none */
	uint32_t mailboxes_max;
	bool keeps_logins;
};

/* The content of a file that the configuration names. */
struct message_file {
	struct str path;
	uint32_t mode; /* as of stat(2) */
	struct str text;
};

/* What is said of a login: nothing, a digest, or all of it. */
struct message_login {
	struct str digest;              /* empty, or MESSAGE_DIGEST_BYTES */
	const struct imap_login *whole; /* NULL, or the login */
};

struct message_lookup {
	struct str login_name;
	const struct str *names;
	size_t count;
};

struct message_registration {
	struct service_registration wish; /* but for its login */
	struct imap_xaps command;         /* of |wish|; no mailboxes */
	struct message_login login;
};

struct message_logged_in {
	struct str login_name;
	struct message_login login;
};

struct message {
	enum message_type type;
	uint8_t version; /* to encode it for another program; 0: ours */
	uint32_t id;
	size_t bytes; /* of what was decoded: its length */

	union {
		struct message_offer offer;
		struct message_lookup lookup;
		struct message_registration registration;
		struct message_logged_in logged_in;
		struct message_file file;
		struct str option; /* KEY=VALUE, as after -o */
		struct str secret; /* of TICKETS and KEY */
		struct str proved; /* of LOOKED_UP: '\0' or '\1' for each */
		bool kept;         /* of DONE: on disk */
	} u;

	/* What was decoded is owned; private: */
	struct str *names;
	struct service_mailbox *mailboxes;
	struct imap_login whole;
};

/* message_encode appends |m| to |out|, whose ceiling is MESSAGE_MAX. Results:
 * 0; ERR_LIMIT, and |out| is as it was. */
int message_encode(const struct message *m, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * message_decode reads |in|, of which the texts in |m_r| are parts, as long as
 * that lives. Results: 0, ended by message_done; ERR_PARSE.
 */
int message_decode(struct str in, struct message *m_r)
	__attribute__((warn_unused_result));

/* message_done frees what was decoded, and wipes a password. */
void message_done(struct message *m);

/* message_name is for log lines. */
const char *message_name(enum message_type type);

#endif
