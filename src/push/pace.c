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

void pace_slow(struct pace *p, struct str token, uint64_t until_ms)
{
	struct pace_device *d = find(p, token);

	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		d->token = str_dup(token);
		HASH_ADD_KEYPTR(hh, p->devices, d->token.data, d->token.len, d);
	}
	if (until_ms > d->until_ms)
		d->until_ms = until_ms;
}

static void free_device(struct pace_device *d)
{
	str_free(&d->token);
	free(d);
}

uint64_t pace_until(struct pace *p, struct str token, uint64_t now_ms)
{
	struct pace_device *d = find(p, token);

	if (d == NULL)
		return 0;
	if (d->until_ms > now_ms)
		return d->until_ms;
	HASH_DEL(p->devices, d);
	free_device(d);
	return 0;
}

void pace_done(struct pace *p)
{
	struct pace_device *d = p->devices;
	struct pace_device *next;

	HASH_CLEAR(hh, p->devices);
	for (; d != NULL; d = next) {
		next = d->hh.next;
		free_device(d);
	}
}
