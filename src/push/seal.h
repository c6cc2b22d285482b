/* SPDX-License-Identifier: ISC */
/*
 * seal - logins sealed with AES-256-GCM under a key file, each bound to its
 * user (additional data), so that a row copied to another user does not open.
 * And those that hold no secret: the name alone, in clear.
 */
#ifndef PUSH_SEAL_H
#define PUSH_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "imap/login.h"

struct files;
struct seal;

/*
 * seal_load reads the key file |path| (32 random octets as base64, one line),
 * as files_read finds it; with |create| makes it, mode 0600, when it is absent.
 * Results: 0; ERR_INVALID (content, or others can read it), ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_IO with a sentence naming the file in |detail|.
 */
int seal_load(const struct files *f, const char *path, bool create,
              struct seal **s_r, struct err_detail *detail)
	__attribute__((warn_unused_result));
void seal_free(struct seal **s);

/* seal_close seals |login| for |user| and appends the blob to |out|. Results:
 * 0; ERR_LIMIT. */
int seal_close(const struct seal *s, struct str user,
               const struct imap_login *login, struct buf *out)
	__attribute__((warn_unused_result));

/* seal_open is the way back; |l_r| is freed with imap_login_done. Results: 0;
 * ERR_AUTH, sealed for another user, under another key, or damaged. */
int seal_open(const struct seal *s, struct str user, struct str blob,
              struct imap_login *l_r) __attribute__((warn_unused_result));

/*
 * seal_name appends the blob of a login that is no more than the |name| by
 * which the server knows the user (watch.login = master brings the secret).
 * seal_name_open is the way back; the name is borrowed from |blob|. Results: 0;
 * ERR_LIMIT; from the latter ERR_AUTH, what |blob| holds is sealed, or damaged.
 */
int seal_name(struct str name, struct buf *out)
	__attribute__((warn_unused_result));
int seal_name_open(struct str blob, struct str *name_r)
	__attribute__((warn_unused_result));

/*
 * seal_digest writes what tells two logins apart and does not say the password:
 * HMAC-SHA-256 under |key|. It is of name and
 * password alone.
 */
#define SEAL_DIGEST_BYTES 32
void seal_digest(struct str key, const struct imap_login *login,
                 char digest_r[SEAL_DIGEST_BYTES]);

/* seal_has_digest: |digest| is that of |login|, told in a time that does not
 * depend on how much of it is right. */
bool seal_has_digest(struct str key, const struct imap_login *login,
                     struct str digest);

#endif
