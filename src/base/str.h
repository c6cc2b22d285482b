/* SPDX-License-Identifier: ISC */
/*
 * str - a borrowed run of bytes and the bounded cursor moves on it. Bytes may
 * be anything, NUL included; nothing here is NUL-terminated unless it says so.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *data;
	size_t len;
};

/* STR("literal") and STR_NULL. */
#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })

/* str_of wraps a C string of our own; |text| may be NULL. */
struct str str_of(const char *text);

/* str_new wraps |len| bytes at |data|. */
struct str str_new(const void *data, size_t len);

/* str_eq compares byte by byte; empty equals empty, NULL or not. */
bool str_eq(struct str a, struct str b);

/* str_lower makes an ASCII letter a small one. Not tolower: the locale has no
 * say in a protocol. */
char str_lower(char c);

/* str_ieq compares ASCII letters without case, all else byte by byte. */
bool str_ieq(struct str a, struct str b);

/* str_cmp orders as memcmp does, the shorter first when one is a prefix. */
int str_cmp(struct str a, struct str b);

/* str_starts, str_istarts (ASCII letters without case) and str_ends: every
 * run of bytes starts and ends with the empty one. */
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* str_find returns the index of |byte| in |s|, or SIZE_MAX. */
size_t str_find(struct str s, char byte);

/* str_sub returns the part of |s| from |from|, at most |len| long, clamped. */
struct str str_sub(struct str s, size_t from, size_t len);

/* str_take moves |n| bytes, clamped, from the front of |in| to the result. */
struct str str_take(struct str *in, size_t n);

/* str_byte consumes |byte| if |in| starts with it. */
bool str_byte(struct str *in, char byte);

/*
 * str_number consumes the leading decimal digits of |in| as a number of at
 * most |max|. Results: 0; ERR_PARSE, no digit; ERR_LIMIT, above |max|. The
 * cursor moves only on success.
 */
int str_number(struct str *in, uint64_t max, uint64_t *value_r)
	__attribute__((warn_unused_result));

/*
 * str_dup copies |s| to the heap; the copy is followed by a NUL that is not
 * counted, so that a copy known to hold no NUL may be given to a C function.
 * The caller frees it with str_free.
 */
struct str str_dup(struct str s);

/* str_free frees a copy made by str_dup and sets |s| to STR_NULL. */
void str_free(struct str *s);

#endif
