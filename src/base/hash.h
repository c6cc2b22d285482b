/* SPDX-License-Identifier: ISC */
/*
 * hash - uthash as this house uses it: without memory it aborts like xcalloc,
 * and keys are hashed by Jenkins' one-at-a-time, since uthash's default is a
 * switch whose fall-through clang reports wherever a table is used.
 *
 * To drain a table: keep its first element, HASH_CLEAR it, then walk the
 * handles' |next|, which HASH_CLEAR leaves as they were.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdlib.h>

#define uthash_fatal(message) abort()
#define HASH_FUNCTION(key, len, hash) HASH_OAT(key, len, hash)
#include <uthash.h>

#endif
