/* SPDX-License-Identifier: ISC */
/*
 * conf_set - see conf_set.h. libconfig reads the syntax; this file knows which
 * types a key takes and says what is wrong in one sentence.
 */
#include "conf/conf_set.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

static void *field(struct conf *c, const struct conf_key *key)
{
	return (char *)c + key->offset;
}

void conf_append(struct conf_strings *list, const char *text)
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

	if (!config_setting_is_list(s) && !config_setting_is_array(s))
		return err_set(detail, ERR_INVALID,
		               "%s: %s must be a list of strings, (\"a\", "
		               "\"b\")",
		               where, key->path);
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
		conf_append(&fresh, text);
	}
	conf_clear(c, key);
	*(struct conf_strings *)field(c, key) = fresh;
	return ERR_OK;
}

static int set_setting(struct conf *c, const struct conf_key *key,
                       const config_setting_t *s, const char *where,
                       struct err_detail *detail)
{
	int type = config_setting_type(s);
	const char *wanted = "";

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		if (type == CONFIG_TYPE_STRING)
			return set_string(c, key, config_setting_get_string(s),
			                  where, detail);
		wanted = "a string in double quotes";
		break;
	case CONF_NUMBER:
		if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
			return set_number(c, key, config_setting_get_int64(s),
			                  where, detail);
		wanted = "a whole number";
		break;
	case CONF_BOOL:
		if (type == CONFIG_TYPE_BOOL) {
			*(bool *)field(c, key) = config_setting_get_bool(s);
			return ERR_OK;
		}
		wanted = "true or false";
		break;
	case CONF_STRINGS:
	case CONF_LISTEN:
		return set_strings(c, key, s, where, detail);
	}
	return err_set(detail, ERR_INVALID, "%s: %s must be %s", where,
	               key->path, wanted);
}

int conf_set_text(struct conf *c, const struct conf_key *key, const char *text,
                  const char *where, struct err_detail *detail)
{
	config_t cfg;
	char *snippet, *value;
	size_t len = strlen(text);
	int rc;

	if (key->type == CONF_STRING || key->type == CONF_CHOICE) {
		if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
			text++;
			len -= 2;
		}
		value = xcalloc(1, len + 1);
		memcpy(value, text, len);
		rc = set_string(c, key, value, where, detail);
		free(value);
		return rc;
	}
	if (asprintf(&snippet, "value = %s;\n", text) < 0)
		return err_set(detail, ERR_LIMIT, "%s: too long", where);
	config_init(&cfg);
	if (!config_read_string(&cfg, snippet) ||
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

int conf_set_file(struct conf *c, const char *path, struct err_detail *detail)
{
	config_t cfg;
	FILE *f;
	int rc;

	f = fopen(path, "re");
	if (f == NULL)
		return err_set(detail,
		               errno == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION,
		               "%s: %s", path, strerror(errno));
	config_init(&cfg);
	if (!config_read(&cfg, f)) {
		const char *file = config_error_file(&cfg);

		rc = err_set(detail, ERR_INVALID, "%s:%d: %s",
		             file != NULL ? file : path,
		             config_error_line(&cfg), config_error_text(&cfg));
	} else {
		rc = set_group(c, config_root_setting(&cfg), "", path, detail);
	}
	config_destroy(&cfg);
	fclose(f);
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
