/* SPDX-License-Identifier: ISC */
/*
 * store - what survives a restart, as plain-value rows behind an asynchronous
 * interface: read everything once, then commit batches. What is not in a
 * batch does not change; a batch is kept whole or not at all.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Times are milliseconds since 1970. Strings in rows given to the store are
 * borrowed and copied; those in a snapshot belong to the snapshot. */

struct store_mailbox {
	struct str name; /* as the client spelled it, modified UTF-7 */
	bool proved;     /* STATUS as this user said OK */
};

/* One device's wish to be rung for one account. Unique by (user, account_id,
 * device_token, subtopic); |id| is chosen by the caller and never reused. */
struct store_registration {
	uint64_t id;
	struct str user;
	struct str account_id;
	struct str device_token; /* lower case hex */
	struct str subtopic;
	struct str topic; /* what the device was told */
	uint32_t version;
	int64_t first_seen_ms;
	int64_t last_seen_ms;
	int64_t last_push_ms;   /* 0: never */
	int32_t last_status;    /* HTTP status of that push, 0: none */
	struct str last_reason; /* its reason, of Apple's table */
	const struct store_mailbox *mailboxes;
	size_t mailbox_count;
};

#define STORE_UNKNOWN (-1)

/* What was last seen of a mailbox; the point from which "new" counts. */
struct store_state {
	struct str user;
	struct str mailbox;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t modseq;  /* 0: not known */
	int64_t messages; /* or STORE_UNKNOWN */
	int64_t unseen;   /* or STORE_UNKNOWN */
};

/* A push that is owed to a registration. */
struct store_pending {
	uint64_t registration_id;
	uint64_t generation; /* grows with each event put into it */
	int64_t due_ms;
	uint32_t attempts;
	int64_t event_ms; /* when the oldest event in it was seen */
	const struct str *mailboxes;
	size_t mailbox_count;
};

/* A login sealed under the key file, bound to the user. */
struct store_login {
	struct str user;
	struct str blob;
	bool rejected; /* the backend refused it: not tried again */
};

/* One commit: rows to delete, then rows to write whole (insert or replace).
 * Deleting a registration deletes its mailboxes and its pending row, and a
 * pending row needs its registration. */
struct store_batch {
	const struct store_registration *registrations;
	size_t registration_count;
	const uint64_t *registrations_gone;
	size_t registration_gone_count;
	const struct store_state *states;
	size_t state_count;
	const struct store_state *states_gone; /* user and mailbox only */
	size_t state_gone_count;
	const struct store_pending *pendings;
	size_t pending_count;
	const uint64_t *pendings_gone; /* registration ids */
	size_t pending_gone_count;
	const struct store_login *logins;
	size_t login_count;
	const struct str *logins_gone; /* users */
	size_t login_gone_count;
};

struct store_snapshot {
	struct store_registration *registrations;
	size_t registration_count;
	struct store_state *states;
	size_t state_count;
	struct store_pending *pendings; /* quickest: the oldest event first */
	size_t pending_count;
	struct store_login *logins;
	size_t login_count;
};

/* |snapshot| is borrowed for the call; NULL when |rc| is ERR_IO. */
typedef void store_load_fn(void *arg, int rc,
                           const struct store_snapshot *snapshot);
typedef void store_commit_fn(void *arg, int rc);

struct store;

struct store_ops {
	void (*load)(struct store *s, store_load_fn *done, void *arg);
	void (*commit)(struct store *s, const struct store_batch *batch,
	               store_commit_fn *done, void *arg);
	void (*close)(struct store **s);
};

/* Every implementation begins with this. */
struct store {
	const struct store_ops *ops;
	struct err_detail why; /* of the failure that |done| is told */
};

/*
 * store_load reads every row; |done| once, on a later turn. Results passed:
 * 0; ERR_INVALID, the store was damaged and a new one is begun: |snapshot| is
 * what could be saved, and every row must be committed again; ERR_IO, the
 * store cannot be read now.
 */
void store_load(struct store *s, store_load_fn *done, void *arg);

/*
 * store_commit writes |batch|, which is copied, in one transaction; |done|
 * once, on a later turn, in the order of the calls. Results passed: 0, it is
 * on disk; ERR_IO, nothing of it was kept; ERR_INVALID, the store was damaged,
 * taken away or written to by another, a new one is begun unless that will do:
 * neither this nor anything committed before is sure to be kept, and every row
 * must be committed again.
 */
void store_commit(struct store *s, const struct store_batch *batch,
                  store_commit_fn *done, void *arg);

/* store_close waits for what was given, calls the open |done|s and frees. A
 * |done| may commit once more: |*s| is cleared when all is quiet. */
void store_close(struct store **s);

#endif
