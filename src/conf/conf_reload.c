/* SPDX-License-Identifier: ISC */
/*
 * conf_reload - see conf_reload.h. Values are compared and handed on as they
 * are written after -o.
 */
#include "conf/conf_reload.h"

#include "base/buf.h"
#include "conf/conf_set.h"
#include "conf/conf_table.h"
#include "conf/conf_text.h"
#include "conf/conf_whole.h"

/* Of one key: all of a file, as long as there is little in it to escape. */
#define TEXT_MAX CONF_FILE_MAX

/* pair_of writes "KEY=VALUE" of |key| in |c|, and a NUL. */
static int pair_of(const struct conf *c, const struct conf_key *key,
                   struct buf *out)
{
	int rc = buf_printf(out, "%s=", key->path);

	if (rc == ERR_OK)
		rc = conf_text(c, key, out);
	return rc == ERR_OK ? buf_append(out, "", 1) : rc;
}

/* settle decides on |key|, which was |before| and is |now|: it changes, or
 * stays as it is and is named. */
static int settle(struct conf_reload *r, const struct conf_key *key,
                  const char *before, const char *now,
                  struct err_detail *detail)
{
	if (key->is_live) {
		conf_strings_add(&r->changes, now);
		return ERR_OK;
	}
	conf_strings_add(&r->restart, key->path);
	return conf_set_pair(&r->conf, before, "as it runs", detail);
}

static int compare(const struct conf *running, const struct conf_key *key,
                   struct conf_reload *r, struct err_detail *detail)
{
	struct buf before;
	struct buf now;
	int rc;

	buf_init(&before, TEXT_MAX);
	buf_init(&now, TEXT_MAX);
	rc = pair_of(running, key, &before);
	if (rc == ERR_OK)
		rc = pair_of(&r->conf, key, &now);
	if (rc != ERR_OK)
		rc = err_set(detail, ERR_INVALID, "%s: too long", key->path);
	else if (!str_eq(buf_str(&before), buf_str(&now)))
		rc = settle(r, key, before.data, now.data, detail);
	buf_reset(&before);
	buf_reset(&now);
	return rc;
}

/* check_file: one that need not be there has to stay if it was. */
static int check_file(const struct conf *running, const struct conf *now,
                      struct err_detail *detail)
{
	if (running->file == NULL || now->file != NULL)
		return ERR_OK;
	return err_set(detail, ERR_NOT_FOUND, "%s: it is gone", running->file);
}

int conf_reload(const struct conf *running, char **environ,
                struct conf_reload *r_r, struct err_detail *detail)
{
	struct conf_reload r = { 0 };
	enum conf_action action;
	int rc = conf_load(&r.conf, running->argc, running->argv, environ,
	                   &action, detail);

	if (rc == ERR_OK)
		rc = check_file(running, &r.conf, detail);
	for (size_t i = 0; rc == ERR_OK && i < conf_key_count; i++)
		rc = compare(running, &conf_keys[i], &r, detail);
	/* Those that stay may not go with those that change. */
	if (rc == ERR_OK && r.restart.count > 0)
		rc = conf_whole_check(&r.conf, detail);
	if (rc == ERR_OK)
		*r_r = r;
	else
		conf_reload_done(&r);
	return rc;
}

void conf_reload_done(struct conf_reload *r)
{
	conf_strings_done(&r->changes);
	conf_strings_done(&r->restart);
	conf_done(&r->conf);
}
