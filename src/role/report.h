/* SPDX-License-Identifier: ISC */
/* report - what a check found: a verdict, a subject and a sentence for each
 * fact, as lines for a person or as JSON for a script. */
#ifndef ROLE_REPORT_H
#define ROLE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

enum report_verdict {
	REPORT_OK,
	REPORT_WARN, /* works, and is worth a look */
	REPORT_FAIL, /* does not work */
	REPORT_VERDICTS
};

struct report;

/* report_new writes to |out|: lines as soon as they are known, or a |json|
 * array at the end. */
struct report *report_new(FILE *out, bool json);
void report_free(struct report **r);

/* report_add adds one fact. What a peer said must have gone through log_safe
 * before it comes here. */
void report_add(struct report *r, enum report_verdict verdict,
                const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* report_end writes what is left to write. Returns whether nothing failed. */
bool report_end(struct report *r);

#endif
