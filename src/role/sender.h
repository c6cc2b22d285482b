/* SPDX-License-Identifier: ISC */
/*
 * sender - what pushes are sent with, as the configuration says: credential,
 * topic, and the options of the transport.
 */
#ifndef ROLE_SENDER_H
#define ROLE_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "apns/apns.h"
#include "apns/credential.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"

struct files;

struct sender {
	struct credential credential; /* empty in a dry run */
	struct str topic;             /* what phones are told */
};

/* sender_is_dry_run: pushes are logged instead of sent. */
bool sender_is_dry_run(const struct conf *c);

/* sender_is_absent: there is nothing to send with, which is not wrong. */
bool sender_is_absent(const struct conf *c);

/* sender_opts are the transport's; what they point to is in |c| and |f|. */
struct apns_opts sender_opts(const struct conf *c, const struct files *f);

/*
 * sender_load reads the credential, as files_read finds it in |f|, unless it is
 * a dry run, and finds the topic: what the operator says, else what the
 * certificate says. Results: 0, ended by sender_done; as credential_load, or
 * ERR_INVALID for the topic, with a sentence that names the key and the file.
 */
int sender_load(const struct conf *c, const struct files *f, struct sender *s_r,
                struct err_detail *detail) __attribute__((warn_unused_result));
void sender_done(struct sender *s);

/* sender_warning writes what credential_warning says at |now_ms|, and that the
 * topic is none of the certificate's. Returns false when there is nothing to
 * say. */
bool sender_warning(const struct sender *s, int64_t now_ms,
                    struct err_detail *detail);

#endif
