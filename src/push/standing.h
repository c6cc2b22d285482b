/* SPDX-License-Identifier: ISC */
/*
 * standing - what the answers to pushes say of a registration, and whether to
 * believe it. A device is forgotten when its token is unknown to APNs twice,
 * at least an hour apart, with neither a success nor a registration between,
 * and while APNs knows those of others: in the wrong environment (production
 * or development) it knows none, and a family would lose all its phones.
 */
#ifndef PUSH_STANDING_H
#define PUSH_STANDING_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

enum standing {
	STANDING_UNKNOWN,
	STANDING_GOOD,
	STANDING_SUSPECT, /* APNs did not know the token */
	STANDING_STALE    /* the device does not take the topic it was told */
};

/* How long a token must stay unknown. */
#define STANDING_SUSPECT_MS ((int64_t)3600 * 1000)

/* standing_of reads it from the last answer, which counts until the device
 * registers again. */
enum standing standing_of(const struct store_registration *r);

/* The last answers of all devices, in a ring. */
#define STANDING_ANSWERS ((size_t)200)

struct standing_poll {
	enum standing answers[STANDING_ANSWERS];
	size_t next;
	size_t good;
	size_t suspect;
};

/*
 * standing_poll_add takes the newest answer in, in place of the oldest. Of one
 * device the second suspicion is not to be added: with enough mail it would
 * outvote all others. A poll of zeros is one without answers.
 */
void standing_poll_add(struct standing_poll *p, enum standing answer);

/* standing_poll_accepts: APNs knows somebody's token, and at most 5 % of the
 * answers doubt one, so that a doubt is a fault of the device. */
bool standing_poll_accepts(const struct standing_poll *p);

#endif
