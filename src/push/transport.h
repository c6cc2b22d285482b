/* SPDX-License-Identifier: ISC */
/*
 * transport - what carries a push to a device: APNs, and any later one. It
 * knows nothing of users, mailboxes' states or the store.
 */
#ifndef PUSH_TRANSPORT_H
#define PUSH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct push_job {
	uint64_t registration_id;
	struct str account_id;
	struct str device_token;
	struct str topic;
	uint32_t version;
	const struct str *mailboxes; /* changed ones, as registered */
	size_t mailbox_count;
	uint32_t attempts; /* answered tries so far */
};

enum push_verdict {
	PUSH_DELIVERED,  /* accepted: the row is settled */
	PUSH_AGAIN,      /* never answered: still due, costs no attempt */
	PUSH_LATER,      /* answered "not now": due after |delay_ms| */
	PUSH_UNREGISTER, /* gone since |gone_ms|: remove the registration if it
	                    was last seen at or before that time */
	PUSH_SUSPECT,    /* no such device, it is said: see push/standing.h */
	PUSH_STALE,      /* the device does not take this topic: nothing is sent
	                    until it registers again */
	PUSH_HOLD,       /* credential refused: nothing is sent until it is
	                    mended, but one to try after each |delay_ms|; the
	                    row stays due */
	PUSH_DROP        /* this push can never succeed: the row is settled */
};

/* Whom "not now" is for. */
enum push_scope {
	PUSH_SCOPE_ROW,    /* this registration */
	PUSH_SCOPE_DEVICE, /* all with this device token */
	PUSH_SCOPE_ALL     /* everyone */
};

struct push_result {
	enum push_verdict verdict;
	enum push_scope scope; /* LATER */
	int status;            /* HTTP status, 0 if not answered */
	const char *reason;    /* of Apple's table, "other", or "" ; static */
	uint64_t delay_ms;     /* LATER, HOLD */
	int64_t gone_ms;       /* UNREGISTER */
};

typedef void push_done_fn(void *arg, uint64_t registration_id,
                          const struct push_result *result);
typedef void push_ready_fn(void *arg);

struct push_transport;

struct push_transport_ops {
	/*
	 * Sends |job|, which is copied; |done| once on a later turn. Results:
	 * 0; ERR_UNAVAILABLE, not now: |ready| will be called when it is worth
	 * trying again.
	 */
	int (*send)(struct push_transport *t, const struct push_job *job,
	            push_done_fn *done, void *arg);
	/* Says whom to call when a send may succeed after ERR_UNAVAILABLE. */
	void (*on_ready)(struct push_transport *t, push_ready_fn *ready,
	                 void *arg);
};

/* Every implementation begins with this. */
struct push_transport {
	const struct push_transport_ops *ops;
};

#endif
