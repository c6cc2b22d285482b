/* SPDX-License-Identifier: ISC */
/*
 * supervisor_impl - the parts of main: supervisor.c has its states and what its
 * children say, upgrade.c what the mains before and after it do.
 */
#ifndef PROCESS_SUPERVISOR_IMPL_H
#define PROCESS_SUPERVISOR_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "process/children.h"
#include "process/message.h"
#include "role/listeners.h"
#include "role/status_role.h"

struct channel;
struct heir;
struct ports;
struct rights;
struct watchdog;
struct worker;

enum { SUPERVISOR_KEY_BYTES = 32 };

enum supervisor_state {
	STATE_INHERITS, /* the main before has more to say */
	STATE_BEGINS,   /* the push process is asked what it offers */
	STATE_SERVES,
	STATE_DRAINS, /* those that face clients end */
	STATE_STOPS,  /* the others end */
	STATE_OVER,
};

struct supervisor {
	struct log_ctx log;
	struct conf *conf;
	const struct rights *rights;
	struct loop *loop;
	struct loop_timer *timer;    /* of the state */
	struct loop_timer *rotation; /* of the keys of tickets */
	struct loop_timer *pulse;    /* of what is asked and told again */
	char told[96];               /* to the manager, how it is */
	struct watchdog *watchdog;
	enum supervisor_state state;
	bool said_ready;
	bool is_patient;       /* while it drains: without limit */
	bool is_ended;         /* by a signal of its own: the next ends all */
	bool is_reloading;     /* some process is */
	bool is_reload_due;    /* another SIGHUP came meanwhile */
	struct worker *worker; /* loaded, for those that are forked */
	struct listeners listeners;
	struct ports *ports;
	struct status_role status;
	char key[SUPERVISOR_KEY_BYTES];
	struct message_offer offer; /* the last */
	struct str topic;           /* of |offer| */
	struct children *children;
	struct channel *elder; /* the main before, while it has clients */
	uint8_t elder_version; /* of its messages */
	struct heir *heir;     /* the main that follows */
	bool leads;            /* it is the one that the manager knows */
};

/* What upgrade.c needs of supervisor.c. */

/* supervisor_begin forks the first. */
void supervisor_begin(struct supervisor *s);

/* supervisor_lead: from now on the service manager is told. */
void supervisor_lead(struct supervisor *s);

/* supervisor_drain ends what faces clients when these have left, after
 * process.drain_s at the latest unless it |is_patient|. */
void supervisor_drain(struct supervisor *s, bool is_patient);

/* supervisor_hide_status: another main shows it. */
void supervisor_hide_status(struct supervisor *s);

/* supervisor_stop ends all at once. */
void supervisor_stop(struct supervisor *s);

/* supervisor_go_on takes the next step to the end when it is due. */
void supervisor_go_on(struct supervisor *s);

/* supervisor_offer passes on what the push process of whoever leads offers. */
void supervisor_offer(struct supervisor *s, const struct message *m);

/* supervisor_accuse ends the worker with process id |pid|, ours or that of a
 * main before, which said what makes no sense. */
void supervisor_accuse(struct supervisor *s, uint32_t pid);

/* supervisor_push is our push process. */
struct child *supervisor_push(const struct supervisor *s);

/* supervisor_next_worker as children_next. */
struct child *supervisor_next_worker(const struct supervisor *s,
                                     const struct child *c);

/* supervisor_tell_workers sends |m| to each. */
void supervisor_tell_workers(struct supervisor *s, const struct message *m);

/* What supervisor.c needs of upgrade.c. */

/* upgrade_inherit begins at once, or when the main before, on |fd| unless that
 * is -1, has said all. |version| is that of its messages. */
void upgrade_inherit(struct supervisor *s, int fd, struct str version);

/* upgrade_begin starts the program again, to take over from this one. */
void upgrade_begin(struct supervisor *s);

/* upgrade_reload: a main that comes may have read what is old by now. */
void upgrade_reload(struct supervisor *s);

/* upgrade_tickets: their keys are new. */
void upgrade_tickets(struct supervisor *s);

/* upgrade_introduce gives |worker| and the push process that serves it, ours or
 * that of a main behind, a channel to each other. */
void upgrade_introduce(struct supervisor *s, struct child *worker);

/* upgrade_push_came: our push process is another. upgrade_offer: it offers
 * something else. upgrade_accuse: it accuses a worker that is not
 * ours. All for the main before, if there is one. */
void upgrade_push_came(struct supervisor *s);
void upgrade_offer(struct supervisor *s);
void upgrade_accuse(struct supervisor *s, uint32_t pid);

/* upgrade_ready: all workers serve, so that the main before may go. */
void upgrade_ready(struct supervisor *s);

/* upgrade_ended: this one ends, and the main before with it, at once if it
 * |stops|; a main that is to replace it does not come. */
void upgrade_ended(struct supervisor *s, bool stops);

/* upgrade_abandon: the main before was asked to end, and has not. */
void upgrade_abandon(struct supervisor *s);

/* upgrade_free lets go of both. */
void upgrade_free(struct supervisor *s);

#endif
