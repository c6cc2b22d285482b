/* SPDX-License-Identifier: ISC */
/*
 * logins - see logins.h. The first try is made at once, since nobody waits yet;
 * the others on a thread, since a disk may take its time.
 */
#include "role/logins.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "imap/login.h"
#include "net/offload.h"

enum { RETRY_MIN_MS = 1000, RETRY_MAX_MS = 15 * 1000 };

/* What was read. */
struct secrets {
	struct seal *seal;
	struct secret *master;
};

struct logins {
	struct log_ctx log;
	struct loop *loop;
	const struct conf *conf;
	loop_fn *changed;
	void *arg;
	struct secrets secrets; /* empty: nothing could be read yet */
	struct loop_timer *timer;
	struct backoff backoff;
	struct offload *thread; /* NULL: no try since the first one */

	/* The thread's, while it works. */
	struct secrets read;
	int rc;
	struct err_detail why;
};

bool logins_are_masters(const struct conf *c)
{
	return strcmp(c->watch_login, "master") == 0;
}

static int load_master(const struct conf *c, const struct files *f,
                       struct secret **master_r, struct err_detail *detail)
{
	const char *path = c->watch_master_password_file;
	struct secret *secret = NULL;
	struct err_detail why;
	int rc = secret_read_line(f, path, &secret, &why);

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

static int load_seal(const struct conf *c, const struct files *f, bool create,
                     struct seal **seal_r, struct err_detail *detail)
{
	struct err_detail why;
	int rc = seal_load(f, c->watch_key_file, create, seal_r, &why);

	if (rc == ERR_NOT_FOUND && !create)
		return ERR_OK; /* it will be made */
	return rc == ERR_OK
	               ? rc
	               : err_set(detail, rc, "watch.key_file: %s", why.text);
}

/* load reads what |c| names; with |create| the seal key is made if it is
 * absent. */
static int load(const struct conf *c, const struct files *f, bool create,
                struct secrets *s_r, struct err_detail *detail)
{
	return logins_are_masters(c)
	               ? load_master(c, f, &s_r->master, detail)
	               : load_seal(c, f, create, &s_r->seal, detail);
}

static void secrets_done(struct secrets *s)
{
	seal_free(&s->seal);
	secret_free(&s->master);
}

int logins_check(const struct conf *c, const struct files *f,
                 struct err_detail *detail)
{
	struct secrets secrets = { 0 };
	int rc = load(c, f, false, &secrets, detail);

	secrets_done(&secrets);
	return rc;
}

bool logins_warning(const struct conf *c, const struct files *f,
                    struct err_detail *detail)
{
	if (!logins_are_masters(c) ||
	    !files_is_exposed(f, c->watch_master_password_file))
		return false;
	(void)err_set(detail, ERR_OK,
	              "watch.master_password_file %s: every user of this "
	              "machine can read it",
	              c->watch_master_password_file);
	return true;
}

static void try_later(struct logins *l)
{
	loop_timer_set(l->timer,
	               backoff_next(&l->backoff, rand_below(UINT32_MAX)));
}

static void on_work(void *arg)
{
	struct logins *l = arg;

	l->rc = load(l->conf, NULL, true, &l->read, &l->why);
}

/* has_them: a reload may have been faster. */
static bool has_them(const struct logins *l)
{
	return l->secrets.master != NULL || l->secrets.seal != NULL;
}

static void on_worked(void *arg)
{
	struct logins *l = arg;

	if (has_them(l)) {
		secrets_done(&l->read);
		return;
	}
	if (l->rc != ERR_OK) {
		log_debug(&l->log, "%s", l->why.text);
		try_later(l);
		return;
	}
	l->secrets = l->read;
	l->read = (struct secrets){ 0 };
	log_info(&l->log, "logins are kept from now on, users are watched");
	l->changed(l->arg);
}

static void on_timer(void *arg)
{
	struct logins *l = arg;

	if (l->thread == NULL)
		l->thread = offload_new(l->loop, "logins");
	offload_submit(l->thread, on_work, on_worked, l);
}

const struct seal *logins_seal(const struct logins *l)
{
	return l->secrets.seal;
}

struct watch_login_opts logins_opts(const struct logins *l)
{
	const struct conf *c = l->conf;
	enum watch_login_mode mode = WATCH_LOGIN_SEALED;

	if (logins_are_masters(c))
		mode = strcmp(c->watch_master_style, "separator") == 0
		               ? WATCH_LOGIN_SEPARATOR
		               : WATCH_LOGIN_AUTHZID;
	return (struct watch_login_opts){
		.mode = mode,
		.seal = l->secrets.seal,
		.master_user = c->watch_master_user,
		.master_separator = c->watch_master_separator,
		.master_password = l->secrets.master,
	};
}

struct logins *logins_new(struct loop *loop, const struct conf *c,
                          const struct files *f, loop_fn *changed, void *arg)
{
	struct logins *l = xcalloc(1, sizeof(*l));
	struct err_detail why;

	l->log.area = LOG_PUSH;
	l->loop = loop;
	l->conf = c;
	l->changed = changed;
	l->arg = arg;
	l->timer = loop_timer_new(loop, on_timer, l);
	backoff_init(&l->backoff, RETRY_MIN_MS, RETRY_MAX_MS);
	if (!c->push_enabled)
		return l; /* nobody asks for them */
	if (load(c, f, true, &l->secrets, &why) != ERR_OK) {
		log_error(&l->log,
		          "%s: tried again; until then no login is kept and "
		          "nobody is watched",
		          why.text);
		try_later(l);
	} else if (logins_warning(c, f, &why)) {
		log_warn(&l->log, "%s", why.text);
	}
	return l;
}

void logins_reload(struct logins *l, const struct files *f)
{
	struct secrets fresh = { 0 };
	struct err_detail why;

	if (!l->conf->push_enabled || l->secrets.seal != NULL)
		return;
	if (load(l->conf, f, true, &fresh, &why) != ERR_OK) {
		log_error(&l->log, "not read again: %s", why.text);
		return;
	}
	if (logins_warning(l->conf, f, &why))
		log_warn(&l->log, "%s", why.text);
	secrets_done(&l->secrets);
	l->secrets = fresh;
	loop_timer_cancel(l->timer);
}

void logins_free(struct logins **logins)
{
	struct logins *l = *logins;

	if (l == NULL)
		return;
	offload_free(&l->thread);
	loop_timer_free(&l->timer);
	secrets_done(&l->secrets);
	secrets_done(&l->read);
	free(l);
	*logins = NULL;
}
