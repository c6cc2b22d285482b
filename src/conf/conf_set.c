/* SPDX-License-Identifier: ISC */
/*
 * conf_set - see conf_set.h. libconfig reads the syntax; this file knows which
 * types a key takes and says what is wrong in one sentence.
 */
#include "conf/conf_set.h"

#include <assert.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/scan.h"

static void *field(struct conf *c, const struct conf_key *key)
{
	return (char *)c + key->offset;
}

static void append(struct conf_strings *list, const char *text)
{
	list->list = xrealloc(list->list, list->count + 1, sizeof(char *));
	list->list[list->count++] = xstrdup(text);
}

static void strings_clear(struct conf_strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->list[i]);
	free(list->list);
	*list = (struct conf_strings){ NULL, 0 };
}

void conf_clear(struct conf *c, const struct conf_key *key)
{
	char **text = field(c, key);

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		free(*text);
		*text = NULL;
		return;
	case CONF_STRINGS:
	case CONF_LISTEN:
		strings_clear(field(c, key));
		return;
	case CONF_NUMBER:
	case CONF_BOOL:
		return;
	}
}

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

void conf_add(struct conf *c, const struct conf_key *key, const char *text,
              const char *where)
{
	append(field(c, key), text);
	remember(c, key, where);
}

const char *conf_origin(const struct conf *c, const char *path)
{
	const struct conf_key *key = conf_key_find(str_of(path));

	if (c->origins == NULL || c->origins[key - conf_keys] == NULL)
		return "default";
	return c->origins[key - conf_keys];
}

static bool is_choice(const struct conf_key *key, const char *value)
{
	struct str rest = str_of(key->choices);

	while (rest.len > 0) {
		size_t end = str_find(rest, ' ');

		if (str_eq(str_take(&rest, end == SIZE_MAX ? rest.len : end),
		           str_of(value)))
			return true;
		str_byte(&rest, ' ');
	}
	return false;
}

static int set_string(struct conf *c, const struct conf_key *key,
                      const char *value, const char *where,
                      struct err_detail *detail)
{
	char **slot = field(c, key);

	if (key->type == CONF_CHOICE && !is_choice(key, value))
		return err_set(detail, ERR_INVALID, "%s: %s must be one of: %s",
		               where, key->path, key->choices);
	conf_clear(c, key);
	/* Empty is the same as not set, where that is possible: containers
	 * like to pass on variables that hold nothing. */
	if (value[0] != '\0' || key->fallback != NULL)
		*slot = xstrdup(value);
	return ERR_OK;
}

static int set_number(struct conf *c, const struct conf_key *key,
                      long long value, const char *where,
                      struct err_detail *detail)
{
	unsigned *slot = field(c, key);

	if (value < (long long)key->min || value > (long long)key->max)
		return err_set(detail, ERR_INVALID,
		               "%s: %s = %lld is out of range, %u to %u", where,
		               key->path, value, key->min, key->max);
	*slot = (unsigned)value;
	return ERR_OK;
}

/* One entry of `listen`: a string, or a group { url }. */
static const char *listen_url(const config_setting_t *entry)
{
	const char *url = NULL;

	if (config_setting_type(entry) == CONFIG_TYPE_STRING)
		return config_setting_get_string(entry);
	if (config_setting_is_group(entry) && config_setting_length(entry) == 1)
		config_setting_lookup_string(entry, "url", &url);
	return url;
}

static int set_strings(struct conf *c, const struct conf_key *key,
                       const config_setting_t *s, const char *where,
                       struct err_detail *detail)
{
	struct conf_strings fresh = { NULL, 0 };
	const char *text;

	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e =
			config_setting_get_elem(s, (unsigned)i);

		text = key->type == CONF_LISTEN ? listen_url(e)
		                                : config_setting_get_string(e);
		if (text == NULL) {
			strings_clear(&fresh);
			return err_set(detail, ERR_INVALID,
			               "%s: entry %d of %s must be a string%s",
			               where, i + 1, key->path,
			               key->type == CONF_LISTEN
			                       ? " or { url = \"...\"; }"
			                       : "");
		}
		append(&fresh, text);
	}
	conf_clear(c, key);
	*(struct conf_strings *)field(c, key) = fresh;
	return ERR_OK;
}

/* Sets |key| from |s|; |wanted_r| says what would have been right where the
 * type is wrong. */
static int set_typed(struct conf *c, const struct conf_key *key,
                     const config_setting_t *s, const char *where,
                     const char **wanted_r, struct err_detail *detail)
{
	int type = config_setting_type(s);

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		*wanted_r = "a string in double quotes";
		if (type != CONFIG_TYPE_STRING)
			return ERR_PARSE;
		return set_string(c, key, config_setting_get_string(s), where,
		                  detail);
	case CONF_NUMBER:
		*wanted_r = "a whole number";
		if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
			return ERR_PARSE;
		return set_number(c, key, config_setting_get_int64(s), where,
		                  detail);
	case CONF_BOOL:
		*wanted_r = "true or false";
		if (type != CONFIG_TYPE_BOOL)
			return ERR_PARSE;
		*(bool *)field(c, key) = config_setting_get_bool(s);
		return ERR_OK;
	case CONF_STRINGS:
	case CONF_LISTEN:
		*wanted_r = "a list of strings, (\"a\", \"b\")";
		if (!config_setting_is_list(s) && !config_setting_is_array(s))
			return ERR_PARSE;
		return set_strings(c, key, s, where, detail);
	}
	return ERR_PARSE;
}

static int set_setting(struct conf *c, const struct conf_key *key,
                       const config_setting_t *s, const char *where,
                       struct err_detail *detail)
{
	const char *wanted = "";
	int rc = set_typed(c, key, s, where, &wanted, detail);

	if (rc == ERR_PARSE)
		return err_set(detail, ERR_INVALID, "%s: %s must be %s", where,
		               key->path, wanted);
	if (rc == ERR_OK)
		remember(c, key, where);
	return rc;
}

/* Strings as they stand, outer double quotes optional. */
static int set_text_string(struct conf *c, const struct conf_key *key,
                           const char *text, const char *where,
                           struct err_detail *detail)
{
	struct str value = str_of(text);
	struct str copy;
	int rc;

	if (value.len >= 2 && str_starts(value, STR("\"")) &&
	    str_ends(value, STR("\"")))
		value = str_sub(value, 1, value.len - 2);
	copy = str_dup(value);
	rc = set_string(c, key, copy.data, where, detail);
	str_free(&copy);
	return rc;
}

/* Anything else is parsed as a configuration of one setting. */
static int set_text_value(struct conf *c, const struct conf_key *key,
                          const char *text, const char *where,
                          struct err_detail *detail)
{
	struct err_detail why;
	config_t cfg;
	char *snippet;
	int rc;

	if (asprintf(&snippet, "value = %s;\n", text) < 0)
		return err_set(detail, ERR_LIMIT, "%s: too long", where);
	config_init(&cfg);
	if (conf_scan(NULL, str_of(snippet), &why) != ERR_OK) {
		rc = err_set(detail, ERR_INVALID, "%s: %s: %s", where,
		             key->path, why.text);
	} else if (!config_read_string(&cfg, snippet) ||
	           config_setting_length(config_root_setting(&cfg)) != 1) {
		rc = err_set(detail, ERR_INVALID,
		             "%s: the value of %s is not libconfig syntax",
		             where, key->path);
	} else {
		rc = set_setting(c, key, config_lookup(&cfg, "value"), where,
		                 detail);
	}
	config_destroy(&cfg);
	free(snippet);
	return rc;
}

int conf_set_text(struct conf *c, const struct conf_key *key, const char *text,
                  const char *where, struct err_detail *detail)
{
	int rc;

	if (key->type != CONF_STRING && key->type != CONF_CHOICE)
		return set_text_value(c, key, text, where, detail);
	rc = set_text_string(c, key, text, where, detail);
	if (rc == ERR_OK)
		remember(c, key, where);
	return rc;
}

/* Walks a group; |prefix| is its path with a dot, or empty. */
static int set_group(struct conf *c, const config_setting_t *group,
                     const char *prefix, const char *file,
                     struct err_detail *detail)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s =
			config_setting_get_elem(group, (unsigned)i);
		const char *source = config_setting_source_file(s);
		const struct conf_key *key;
		char path[256], where[512], below[257];
		int rc;

		if (source == NULL)
			source = file;
		snprintf(where, sizeof(where), "%s:%u", source,
		         config_setting_source_line(s));
		snprintf(path, sizeof(path), "%s%s", prefix,
		         config_setting_name(s));
		key = conf_key_find(str_of(path));
		if (key != NULL) {
			rc = set_setting(c, key, s, where, detail);
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
		rc = set_group(c, config_root_setting(&cfg), "", path, detail);
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
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		int rc;

		if (key->fallback == NULL)
			continue;
		rc = conf_set_text(c, key, key->fallback, "default", NULL);
		assert(rc == ERR_OK);
	}
}
