/* SPDX-License-Identifier: ISC */
/* pace - see pace.h. */
#include "push/pace.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

struct pace_device {
	struct str token;
	uint64_t until_ms;
	UT_hash_handle hh;
};

static struct pace_device *find(const struct pace *p, struct str token)
{
	struct pace_device *d;

	HASH_FIND(hh, p->devices, token.data, token.len, d);
	return d;
}

/* forget drops those whose time is over at |now_ms|. */
static void forget(struct pace *p, uint64_t now_ms)
{
	struct pace_device *d;
	struct pace_device *next;

	HASH_ITER(hh, p->devices, d, next) {
		if (d->until_ms > now_ms)
			continue;
		HASH_DEL(p->devices, d);
		str_free(&d->token);
		free(d);
	}
}

void pace_slow(struct pace *p, struct str token, uint64_t until_ms,
               uint64_t now_ms)
{
	struct pace_device *d;

	forget(p, now_ms);
	d = find(p, token);
	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		d->token = str_dup(token);
		HASH_ADD_KEYPTR(hh, p->devices, d->token.data, d->token.len, d);
	}
	if (until_ms > d->until_ms)
		d->until_ms = until_ms;
}

uint64_t pace_until(const struct pace *p, struct str token, uint64_t now_ms)
{
	const struct pace_device *d = find(p, token);

	return d != NULL && d->until_ms > now_ms ? d->until_ms : 0;
}

void pace_done(struct pace *p)
{
	forget(p, UINT64_MAX);
}
