/* SPDX-License-Identifier: ISC */
/* reload - see reload.h. */
#include "process/reload.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/conf_reload.h"
#include "conf/conf_set.h"
#include "role/files.h"
#include "role/identity.h"

static const struct log_ctx reload_log = { LOG_CONF, 0 };

/* The names of all keys, in a row. */
#define NAMES_MAX ((size_t)4096)

/* Far less than a channel keeps for who does not listen at once. */
#define FILES_TOTAL_MAX ((size_t)4 << 20)

/* list_keys logs |what| and the keys of |pairs|, which may have values. */
static void list_keys(enum log_level level, const char *what,
                      const struct conf_strings *pairs)
{
	struct buf names;
	int rc = ERR_OK;

	buf_init(&names, NAMES_MAX);
	for (size_t i = 0; i < pairs->count && rc == ERR_OK; i++) {
		struct str key = str_of(pairs->list[i]);
		size_t equals = str_find(key, '=');

		if (equals != SIZE_MAX)
			key.len = equals;
		rc = buf_adds(&names, i > 0 ? ", " : " ");
		if (rc == ERR_OK)
			rc = buf_add(&names, key);
	}
	if (level == LOG_LEVEL_WARN)
		log_warn(&reload_log, "SIGHUP: %s%.*s", what, (int)names.len,
		         names.data);
	else
		log_info(&reload_log, "SIGHUP: %s%.*s", what, (int)names.len,
		         names.data);
	buf_reset(&names);
}

/* check looks at what clients are to be shown. */
static int check(const struct conf *c, const struct files *f,
                 struct err_detail *detail)
{
	size_t total = 0;

	for (size_t i = 0; i < f->count; i++)
		total += f->list[i].text.len;
	if (total > FILES_TOTAL_MAX)
		return err_set(detail, ERR_LIMIT,
		               "certificates and keys have more than %zu "
		               "octets: a restart is needed",
		               FILES_TOTAL_MAX);
	return identity_check(c, f, detail);
}

int reload_read(const struct conf *running, struct reload *r_r)
{
	struct reload r = { 0 };
	struct conf_reload again = { 0 };
	struct err_detail why;
	int rc = conf_reload(running, environ, &again, &why);

	if (rc == ERR_OK) {
		files_gather(&again.conf, FILES_CLIENTS, &r.files);
		rc = check(&again.conf, &r.files, &why);
		r.changes = again.changes;
		again.changes = (struct conf_strings){ 0 };
	}
	if (rc != ERR_OK) {
		log_error(&reload_log, "SIGHUP: nothing is changed: %s",
		          why.text);
		goto out;
	}
	list_keys(LOG_LEVEL_INFO,
	          r.changes.count > 0 ? "changed:" : "no option has changed",
	          &r.changes);
	if (again.restart.count > 0)
		list_keys(LOG_LEVEL_WARN,
		          "changed too, but these take a restart:",
		          &again.restart);
	*r_r = r;
	r = (struct reload){ 0 };
out:
	reload_done(&r);
	conf_reload_done(&again);
	return rc;
}

void reload_tell(const struct conf_strings *changes, const struct files *f,
                 reload_say_fn *say, void *arg)
{
	struct message m = { .type = MESSAGE_OPTION };

	for (size_t i = 0; i < changes->count; i++) {
		m.u.option = str_of(changes->list[i]);
		say(arg, &m);
	}
	m.type = MESSAGE_FILE;
	for (size_t i = 0; i < f->count; i++) {
		m.u.file.path = f->list[i].path;
		m.u.file.mode = f->list[i].mode;
		m.u.file.text = buf_str(&f->list[i].text);
		say(arg, &m);
	}
	say(arg, &(struct message){ .type = MESSAGE_RELOAD });
}

bool reload_hear(struct reload *r, const struct message *m)
{
	struct str copy;

	if (m->type == MESSAGE_OPTION) {
		copy = str_dup(m->u.option);
		conf_strings_add(&r->changes, copy.data);
		str_free(&copy);
		return true;
	}
	if (m->type != MESSAGE_FILE)
		return false;
	if (files_put(&r->files, m->u.file.path, m->u.file.mode,
	              m->u.file.text) != ERR_OK)
		log_error(&reload_log, "SIGHUP: a file is too long");
	return true;
}

void reload_apply(const struct reload *r, struct conf *c)
{
	struct err_detail why;
	struct log_opts log;

	for (size_t i = 0; i < r->changes.count; i++)
		if (conf_set_pair(c, r->changes.list[i], "SIGHUP", &why) !=
		    ERR_OK)
			log_error(&reload_log, "%s", why.text);
	log = conf_log_opts(c);
	log_setup(&log);
}

void reload_done(struct reload *r)
{
	conf_strings_done(&r->changes);
	files_done(&r->files);
}
