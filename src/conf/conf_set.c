/* SPDX-License-Identifier: ISC */
/* conf_set - see conf_set.h. Walks what libconfig read: groups down to keys. */
#include "conf/conf_set.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf_value.h"
#include "conf/scan.h"

/* Notes that |key| was set by |where|. */
static void remember(struct conf *c, const struct conf_key *key,
                     const char *where)
{
	char **slot;

	if (c->origins == NULL)
		c->origins = xcalloc(conf_key_count, sizeof(char *));
	slot = &c->origins[key - conf_keys];
	free(*slot);
	*slot = xstrdup(where);
}

int conf_add(struct conf *c, const struct conf_key *key, const char *text,
             const char *where, struct err_detail *detail)
{
	int rc = conf_value_add(c, key, text, where, detail);

	if (rc == ERR_OK)
		remember(c, key, where);
	return rc;
}

void conf_clear(struct conf *c, const struct conf_key *key)
{
	conf_value_clear(c, key);
}

const char *conf_origin(const struct conf *c, const char *path)
{
	const struct conf_key *key = conf_key_find(str_of(path));

	if (c->origins == NULL || c->origins[key - conf_keys] == NULL)
		return "default";
	return c->origins[key - conf_keys];
}

int conf_set_text(struct conf *c, const struct conf_key *key, const char *text,
                  const char *where, struct err_detail *detail)
{
	int rc = conf_value_set_text(c, key, text, where, detail);

	if (rc == ERR_OK)
		remember(c, key, where);
	return rc;
}

int conf_set_pair(struct conf *c, const char *pair, const char *where,
                  struct err_detail *detail)
{
	struct str path = str_of(pair);
	size_t equals = str_find(path, '=');
	const struct conf_key *key;
	struct log_text safe;

	if (equals == SIZE_MAX)
		return err_set(detail, ERR_PARSE, "%s %s: KEY=VALUE is wanted",
		               where, log_safe(path, &safe));
	path.len = equals;
	key = conf_key_find(path);
	if (key == NULL)
		return err_set(detail, ERR_INVALID, "%s: unknown key %s", where,
		               log_safe(path, &safe));
	return conf_set_text(c, key, pair + equals + 1, where, detail);
}

/* Walks a group; |prefix| is its path with a dot, or empty. */
static int set_group(struct conf *c, const config_setting_t *group,
                     const char *prefix, const struct conf_place *file,
                     struct err_detail *detail)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s =
			config_setting_get_elem(group, (unsigned)i);
		const struct conf_key *key;
		char path[256], where[512], below[257];
		int rc;

		conf_place_text(file, s, where, sizeof(where));
		snprintf(path, sizeof(path), "%s%s", prefix,
		         config_setting_name(s));
		key = conf_key_find(str_of(path));
		if (key != NULL) {
			rc = conf_value_set(c, key, s, file, detail);
			if (rc == ERR_OK)
				remember(c, key, where);
		} else if (!conf_key_is_group(str_of(path))) {
			rc = err_set(detail, ERR_INVALID, "%s: unknown key %s",
			             where, path);
		} else if (!config_setting_is_group(s)) {
			rc = err_set(detail, ERR_INVALID,
			             "%s: %s is a group, write %s = { ... }",
			             where, path, path);
		} else {
			snprintf(below, sizeof(below), "%s.", path);
			rc = set_group(c, s, below, file, detail);
		}
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int set_file_text(struct conf *c, const char *path, struct buf *text,
                         struct err_detail *detail)
{
	const struct conf_place place = { .name = path, .has_lines = true };
	config_t cfg;
	int rc = conf_scan(path, buf_str(text), detail);

	if (rc != ERR_OK)
		return rc;
	if (buf_append(text, "", 1) != ERR_OK) /* the NUL at the end */
		return err_set(detail, ERR_INVALID, "%s: too long", path);
	config_init(&cfg);
	if (!config_read_string(&cfg, text->data)) {
		const char *file = config_error_file(&cfg);

		rc = err_set(detail, ERR_INVALID, "%s:%d: %s",
		             file != NULL ? file : path,
		             config_error_line(&cfg), config_error_text(&cfg));
	} else {
		rc = set_group(c, config_root_setting(&cfg), "", &place,
		               detail);
	}
	config_destroy(&cfg);
	return rc;
}

int conf_set_file(struct conf *c, const char *path, struct err_detail *detail)
{
	struct buf text;
	int rc;

	buf_init(&text, CONF_FILE_MAX);
	rc = file_read(path, &text, detail);
	if (rc == ERR_OK)
		rc = set_file_text(c, path, &text, detail);
	else if (rc != ERR_NOT_FOUND && rc != ERR_PERMISSION)
		rc = ERR_INVALID;
	buf_reset(&text);
	return rc;
}

void conf_set_defaults(struct conf *c)
{
	conf_value_defaults(c, conf_keys, conf_key_count);
}
