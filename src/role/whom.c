/* SPDX-License-Identifier: ISC */
/* whom - see whom.h. */
#include "role/whom.h"

#include <stdlib.h>

#include "base/mem.h"

struct audience_opts whom_load(const struct conf *c, const char *topic)
{
	return (struct audience_opts){
		.enabled = c->push_enabled,
		.topic = topic,
		.lowercase = c->users_lowercase,
		.default_domain = c->users_default_domain,
		.allow = conf_strs(&c->push_allow),
		.allow_count = c->push_allow.count,
		.deny = conf_strs(&c->push_deny),
		.deny_count = c->push_deny.count,
	};
}

void whom_done(struct audience_opts *opts)
{
	free(mem_unconst(opts->allow));
	free(mem_unconst(opts->deny));
	*opts = (struct audience_opts){ 0 };
}
