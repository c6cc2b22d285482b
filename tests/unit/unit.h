/* SPDX-License-Identifier: ISC */
/*
 * unit - cmocka with the headers it wants before it, and what the unit tests
 * of all rooms share.
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/str.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* IN is the str of a literal in a table, where STR is no constant. */
#define IN(text)                         \
	{                                \
		(text), sizeof(text) - 1 \
	}

/* assert_str wants the bytes of the str |s| to be the C string |text|. */
#define assert_str(s, text)                                           \
	do {                                                          \
		struct str assert_str_s = (s);                        \
		assert_int_equal(assert_str_s.len, str_of(text).len); \
		assert_true(str_eq(assert_str_s, str_of(text)));      \
	} while (0)

/* assert_ok wants the result 0 of a call that must not fail. */
#define assert_ok(call) assert_int_equal((call), 0)

#endif
