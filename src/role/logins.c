/* SPDX-License-Identifier: ISC */
/* logins - see logins.h. */
#include "role/logins.h"

#include <string.h>

#include "base/file.h"
#include "imap/login.h"

bool logins_are_masters(const struct conf *c)
{
	return strcmp(c->watch_login, "master") == 0;
}

static int load_master(const struct conf *c, struct secret **master_r,
                       struct err_detail *detail)
{
	const char *path = c->watch_master_password_file;
	struct secret *secret = NULL;
	struct err_detail why;
	int rc = secret_read_line(path, &secret, &why);

	if (rc == ERR_OK && secret_str(secret).len == 0)
		rc = err_set(&why, ERR_INVALID, "%s: the first line is empty",
		             path);
	if (rc == ERR_OK && (secret_str(secret).len > IMAP_PASSWORD_MAX ||
	                     str_find(secret_str(secret), '\0') != SIZE_MAX))
		rc = err_set(&why, ERR_INVALID,
		             "%s: the first line is no password", path);
	if (rc == ERR_OK)
		*master_r = secret;
	else
		secret_free(&secret);
	return rc == ERR_OK
	               ? rc
	               : err_set(detail, rc, "watch.master_password_file: %s",
	                         why.text);
}

static int load_seal(const struct conf *c, bool create, struct seal **seal_r,
                     struct err_detail *detail)
{
	struct err_detail why;
	int rc = seal_load(c->watch_key_file, create, seal_r, &why);

	if (rc == ERR_NOT_FOUND && !create)
		return ERR_OK; /* it will be made */
	return rc == ERR_OK
	               ? rc
	               : err_set(detail, rc, "watch.key_file: %s", why.text);
}

int logins_load(const struct conf *c, bool create, struct logins *l_r,
                struct err_detail *detail)
{
	*l_r = (struct logins){ 0 };
	return logins_are_masters(c) ? load_master(c, &l_r->master, detail)
	                             : load_seal(c, create, &l_r->seal, detail);
}

void logins_done(struct logins *l)
{
	seal_free(&l->seal);
	secret_free(&l->master);
}

bool logins_warning(const struct conf *c, struct err_detail *detail)
{
	if (!logins_are_masters(c) ||
	    !file_is_exposed(c->watch_master_password_file))
		return false;
	(void)err_set(detail, ERR_OK,
	              "watch.master_password_file %s: every user of this "
	              "machine can read it",
	              c->watch_master_password_file);
	return true;
}

struct watch_login_opts logins_opts(const struct conf *c,
                                    const struct logins *l)
{
	enum watch_login_mode mode = WATCH_LOGIN_SEALED;

	if (logins_are_masters(c))
		mode = strcmp(c->watch_master_style, "separator") == 0
		               ? WATCH_LOGIN_SEPARATOR
		               : WATCH_LOGIN_AUTHZID;
	return (struct watch_login_opts){
		.mode = mode,
		.seal = l->seal,
		.master_user = c->watch_master_user,
		.master_separator = c->watch_master_separator,
		.master_password = l->master,
	};
}
