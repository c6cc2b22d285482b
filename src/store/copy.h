/* SPDX-License-Identifier: ISC */
/* copy - rows and batches copied whole, strings included, into a pool. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/pool.h"
#include "store/store.h"

/* Each copies |from| and all it points to. */
void copy_registration(struct pool *p, const struct store_registration *from,
                       struct store_registration *to_r);
void copy_state(struct pool *p, const struct store_state *from,
                struct store_state *to_r);
void copy_pending(struct pool *p, const struct store_pending *from,
                  struct store_pending *to_r);
void copy_login(struct pool *p, const struct store_login *from,
                struct store_login *to_r);
void copy_batch(struct pool *p, const struct store_batch *from,
                struct store_batch *to_r);

#endif
