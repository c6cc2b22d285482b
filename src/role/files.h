/* SPDX-License-Identifier: ISC */
/* files - which files the configuration names, and who needs them. */
#ifndef ROLE_FILES_H
#define ROLE_FILES_H

#include "base/files.h"
#include "conf/conf.h"

enum files_whom {
	FILES_CLIENTS = 1, /* what clients are shown: tls.* */
	FILES_PUSH = 2,    /* the push side: a handful */
	FILES_SERVERS = 4, /* of backends, however many: for a start */
};

/* files_gather reads what |c| names for |whom| from the disk and adds it to
 * |f|. What cannot be read is not added: who needs it says so. */
void files_gather(const struct conf *c, unsigned int whom, struct files *f);

#endif
