/* SPDX-License-Identifier: ISC */
/*
 * mixed - what a client received after login: each response of the backend
 * whole, in order, with its capability text edited; and lines of ours, which
 * stand between two of them only.
 */
#ifndef FUZZ_MIXED_H
#define FUZZ_MIXED_H

#include <stdbool.h>

#include "base/str.h"

/*
 * mixed_check aborts if |client|, all that it received, cannot have come of
 * |backend|, all that the backend said. |is_open|: the session goes on, so
 * that everything must have arrived.
 */
void mixed_check(struct str client, struct str backend, bool is_open);

#endif
