/* SPDX-License-Identifier: ISC */
/* memory - the store without a disk, for tests and replays. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "net/loop.h"
#include "store/store.h"

struct store *store_memory_new(struct loop *loop);

#endif
