/* SPDX-License-Identifier: ISC */
/* scan - what libconfig would not report in a text before it parses it. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "base/err.h"
#include "base/str.h"

/*
 * conf_scan looks through |text|, the content of |name| (NULL: not of a file),
 * and through the files it includes. Results: 0, libconfig may have it;
 * ERR_INVALID with file and line in |detail|: a number that would be cut to 32
 * bits in silence, a NUL, or an included file that cannot be read.
 */
int conf_scan(const char *name, struct str text, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
