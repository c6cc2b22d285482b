/* SPDX-License-Identifier: ISC */
/* store - calls go to the implementation that the object begins with. */
#include "store/store.h"

void store_load(struct store *s, store_load_fn *done, void *arg)
{
	s->ops->load(s, done, arg);
}

void store_commit(struct store *s, const struct store_batch *batch,
                  store_commit_fn *done, void *arg)
{
	s->ops->commit(s, batch, done, arg);
}

void store_close(struct store **s)
{
	if (*s != NULL)
		(*s)->ops->close(s);
}
