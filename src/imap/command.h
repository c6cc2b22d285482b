/* SPDX-License-Identifier: ISC */
/*
 * command - tag and verb of a client's command, as far as they may be acted
 * on. What does not fit exactly is forwarded untouched and never intercepted.
 */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include <stdbool.h>

#include "base/str.h"

#define IMAP_TAG_MAX 64

struct imap_command {
	struct str tag;
	struct str verb; /* as sent */
	struct str args; /* after the verb and its SP, without the line end */
};

/*
 * imap_command_parse reads `tag SP verb` from the first line of a command.
 * tag: 1 to 64 ASTRING-CHAR except "+"; verb: letters and "-" (and digits),
 * single spaces. Results: 0; ERR_PARSE: not to be intercepted, |c_r->tag| is
 * still set when a valid tag stands at the front, else empty.
 */
int imap_command_parse(struct str line, struct imap_command *c_r)
	__attribute__((warn_unused_result));

/* imap_command_is compares the verb without case. */
bool imap_command_is(const struct imap_command *c, struct str verb);

#endif
