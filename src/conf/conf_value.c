/* SPDX-License-Identifier: ISC */
/*
 * conf_value - see conf_value.h. libconfig reads the syntax; this file knows
 * which types a key takes and says what is wrong in one sentence.
 */
#include "conf/conf_value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_field.h"
#include "conf/scan.h"

/* Room for "FILE:LINE: routes, entry 2". */
enum { PLACE_MAX = 512 };

static void items_put(void *base, const struct conf_key *key,
                      struct conf_items i)
{
	memcpy(conf_field(base, key), &i, sizeof(i));
}

static void entry_clear(void *entry, const struct conf_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		conf_value_clear(entry, &group->members[i]);
}

static void items_clear(struct conf_items *i, const struct conf_group *group)
{
	for (size_t n = 0; n < i->count; n++)
		entry_clear(conf_item(i, group, n), group);
	free(i->items);
	*i = (struct conf_items){ NULL, 0 };
}

void conf_value_clear(void *base, const struct conf_key *key)
{
	char **text = conf_field(base, key);
	struct conf_items items;

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		free(*text);
		*text = NULL;
		return;
	case CONF_STRINGS:
		conf_strings_done(conf_field(base, key));
		return;
	case CONF_GROUPS:
		items = conf_items_of(base, key);
		items_clear(&items, key->group);
		items_put(base, key, items);
		return;
	case CONF_NUMBER:
	case CONF_BOOL:
		return;
	}
}

void conf_place_text(const struct conf_place *place, const config_setting_t *s,
                     char *text, size_t size)
{
	const char *file;

	if (!place->has_lines) {
		snprintf(text, size, "%s%s", place->name, place->entry);
		return;
	}
	file = config_setting_source_file(s);
	snprintf(text, size, "%s:%u%s", file != NULL ? file : place->name,
	         config_setting_source_line(s), place->entry);
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

static int check(const struct conf_key *key, const char *value, const char *at,
                 struct err_detail *detail)
{
	struct err_detail why;

	if (key->check == NULL || key->check(value, &why) == ERR_OK)
		return ERR_OK;
	return err_set(detail, ERR_INVALID, "%s: %s: %s", at, key->path,
	               why.text);
}

static int set_string(void *base, const struct conf_key *key, const char *value,
                      const char *at, struct err_detail *detail)
{
	/* Empty is the same as not set, where that is possible: containers
	 * like to pass on variables that hold nothing. */
	const bool is_set = value[0] != '\0' || key->fallback != NULL;
	char **slot = conf_field(base, key);

	if (key->type == CONF_CHOICE && !is_choice(key, value))
		return err_set(detail, ERR_INVALID, "%s: %s must be one of: %s",
		               at, key->path, key->choices);
	if (is_set && check(key, value, at, detail) != ERR_OK)
		return ERR_INVALID;
	conf_value_clear(base, key);
	if (is_set)
		*slot = xstrdup(value);
	return ERR_OK;
}

static int set_number(void *base, const struct conf_key *key, long long value,
                      const char *at, struct err_detail *detail)
{
	unsigned *slot = conf_field(base, key);

	if (value < (long long)key->min || value > (long long)key->max)
		return err_set(detail, ERR_INVALID,
		               "%s: %s = %lld is out of range, %u to %u", at,
		               key->path, value, key->min, key->max);
	*slot = (unsigned)value;
	return ERR_OK;
}

static int set_strings(void *base, const struct conf_key *key,
                       const config_setting_t *s, const char *at,
                       struct err_detail *detail)
{
	struct conf_strings fresh = { NULL, 0 };
	int rc = ERR_OK;

	for (int i = 0; i < config_setting_length(s) && rc == ERR_OK; i++) {
		const char *text = config_setting_get_string_elem(s, i);

		if (text == NULL)
			rc = err_set(detail, ERR_INVALID,
			             "%s: entry %d of %s must be a string", at,
			             i + 1, key->path);
		else
			rc = check(key, text, at, detail);
		if (rc == ERR_OK)
			conf_strings_add(&fresh, text);
	}
	if (rc != ERR_OK) {
		conf_strings_done(&fresh);
		return rc;
	}
	conf_value_clear(base, key);
	*(struct conf_strings *)conf_field(base, key) = fresh;
	return ERR_OK;
}

static const struct conf_key *member_find(const struct conf_group *group,
                                          const char *name)
{
	for (size_t i = 0; i < group->count; i++)
		if (strcmp(group->members[i].path, name) == 0)
			return &group->members[i];
	return NULL;
}

/* Sets what the group |s| says of |entry|. */
static int set_members(void *entry, const struct conf_group *group,
                       const config_setting_t *s,
                       const struct conf_place *place,
                       struct err_detail *detail)
{
	char at[PLACE_MAX];
	int rc = ERR_OK;

	for (int i = 0; i < config_setting_length(s) && rc == ERR_OK; i++) {
		const config_setting_t *m =
			config_setting_get_elem(s, (unsigned)i);
		const struct conf_key *key =
			member_find(group, config_setting_name(m));

		if (key != NULL) {
			rc = conf_value_set(entry, key, m, place, detail);
			continue;
		}
		conf_place_text(place, m, at, sizeof(at));
		rc = err_set(detail, ERR_INVALID, "%s: unknown key %s", at,
		             config_setting_name(m));
	}
	return rc;
}

/* Has |entry| all that it must have? */
static int check_members(void *entry, const struct conf_group *group,
                         const char *at, struct err_detail *detail)
{
	struct err_detail why;

	for (size_t i = 0; i < group->count; i++) {
		const struct conf_key *key = &group->members[i];

		if (key->required && *(char **)conf_field(entry, key) == NULL)
			return err_set(detail, ERR_INVALID, "%s: %s is missing",
			               at, key->path);
	}
	if (group->check != NULL && group->check(entry, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s: %s", at, why.text);
	return ERR_OK;
}

/* Is the last of |items| called as one before it? */
static int check_unique(const struct conf_items *items,
                        const struct conf_group *group, const char *at,
                        struct err_detail *detail)
{
	const struct conf_key *key = &group->members[0];
	struct str last = str_of(*(char **)conf_field(
		conf_item(items, group, items->count - 1), key));
	struct log_text safe;

	for (size_t n = 0; n + 1 < items->count; n++)
		if (str_ieq(str_of(*(char **)conf_field(
				    conf_item(items, group, n), key)),
		            last))
			return err_set(
				detail, ERR_INVALID,
				"%s: %s \"%s\" is that of entry %zu, too", at,
				key->path, log_safe(last, &safe), n + 1);
	return ERR_OK;
}

/* A new entry with its defaults at the end of |items|. */
static void *items_add(struct conf_items *items, const struct conf_group *group)
{
	void *entry;

	items->items = xgrow(items->items, &items->count, group->size);
	entry = conf_item(items, group, items->count - 1);
	memset(entry, 0, group->size);
	conf_value_defaults(entry, group->members, group->count);
	return entry;
}

/* The place of the last of |items|, the entries of |key|. */
static struct conf_place last_place(const struct conf_items *items,
                                    const struct conf_key *key,
                                    const struct conf_place *list)
{
	struct conf_place last = *list;

	snprintf(last.entry, sizeof(last.entry), ": %s, entry %zu", key->path,
	         items->count);
	return last;
}

/* Appends what |s| says, an entry of the list |key|. */
static int add_entry(struct conf_items *items, const struct conf_key *key,
                     const config_setting_t *s, const struct conf_place *place,
                     struct err_detail *detail)
{
	const struct conf_group *group = key->group;
	void *entry = items_add(items, group);
	const struct conf_place here = last_place(items, key, place);
	char at[PLACE_MAX];
	int rc;

	conf_place_text(&here, s, at, sizeof(at));
	if (group->is_bare && config_setting_type(s) == CONFIG_TYPE_STRING)
		rc = set_string(entry, &group->members[0],
		                config_setting_get_string(s), at, detail);
	else if (config_setting_is_group(s))
		rc = set_members(entry, group, s, &here, detail);
	else
		rc = err_set(detail, ERR_INVALID,
		             "%s: it must be %s{ %s = ...; }", at,
		             group->is_bare ? "a string or " : "",
		             group->members[0].path);
	if (rc == ERR_OK)
		rc = check_members(entry, group, at, detail);
	if (rc == ERR_OK && group->is_unique)
		rc = check_unique(items, group, at, detail);
	return rc;
}

static int set_groups(void *base, const struct conf_key *key,
                      const config_setting_t *s, const struct conf_place *place,
                      struct err_detail *detail)
{
	struct conf_items fresh = { NULL, 0 };
	int rc = ERR_OK;

	for (int i = 0; i < config_setting_length(s) && rc == ERR_OK; i++)
		rc = add_entry(&fresh, key,
		               config_setting_get_elem(s, (unsigned)i), place,
		               detail);
	if (rc != ERR_OK) {
		items_clear(&fresh, key->group);
		return rc;
	}
	conf_value_clear(base, key);
	items_put(base, key, fresh);
	return ERR_OK;
}

/* Whether |s| can be read as |key| is; |wanted_r| says what could. */
static bool is_type(const struct conf_key *key, const config_setting_t *s,
                    const char **wanted_r)
{
	int type = config_setting_type(s);
	bool is_list = config_setting_is_list(s) || config_setting_is_array(s);

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		*wanted_r = "a string in double quotes";
		return type == CONFIG_TYPE_STRING;
	case CONF_NUMBER:
		*wanted_r = "a whole number";
		return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	case CONF_BOOL:
		*wanted_r = "true or false";
		return type == CONFIG_TYPE_BOOL;
	case CONF_STRINGS:
		*wanted_r = "a list of strings, (\"a\", \"b\")";
		return is_list;
	case CONF_GROUPS:
		*wanted_r = key->group->is_bare
		                    ? "a list of strings, (\"a\", \"b\")"
		                    : "a list of groups, ({ ... }, { ... })";
		return is_list;
	}
	return false;
}

int conf_value_set(void *base, const struct conf_key *key,
                   const config_setting_t *s, const struct conf_place *place,
                   struct err_detail *detail)
{
	const char *wanted = "";
	char at[PLACE_MAX];

	conf_place_text(place, s, at, sizeof(at));
	if (!is_type(key, s, &wanted))
		return err_set(detail, ERR_INVALID, "%s: %s must be %s", at,
		               key->path, wanted);
	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		return set_string(base, key, config_setting_get_string(s), at,
		                  detail);
	case CONF_NUMBER:
		return set_number(base, key, config_setting_get_int64(s), at,
		                  detail);
	case CONF_BOOL:
		*(bool *)conf_field(base, key) = config_setting_get_bool(s);
		return ERR_OK;
	case CONF_STRINGS:
		return set_strings(base, key, s, at, detail);
	case CONF_GROUPS:
		return set_groups(base, key, s, place, detail);
	}
	return ERR_INVALID;
}

/* Strings as they stand, outer double quotes optional. */
static int set_text_string(void *base, const struct conf_key *key,
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
	rc = set_string(base, key, copy.data, where, detail);
	str_free(&copy);
	return rc;
}

/* Anything else is parsed as a configuration of one setting. */
static int set_text_value(void *base, const struct conf_key *key,
                          const char *text, const char *where,
                          struct err_detail *detail)
{
	const struct conf_place place = { .name = where };
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
		rc = conf_value_set(base, key, config_lookup(&cfg, "value"),
		                    &place, detail);
	}
	config_destroy(&cfg);
	free(snippet);
	return rc;
}

int conf_value_set_text(void *base, const struct conf_key *key,
                        const char *text, const char *where,
                        struct err_detail *detail)
{
	if (key->type == CONF_STRING || key->type == CONF_CHOICE)
		return set_text_string(base, key, text, where, detail);
	return set_text_value(base, key, text, where, detail);
}

int conf_value_add(void *base, const struct conf_key *key, const char *text,
                   const char *where, struct err_detail *detail)
{
	const struct conf_place list = { .name = where };
	struct conf_items items = conf_items_of(base, key);
	void *entry = items_add(&items, key->group);
	const struct conf_place here = last_place(&items, key, &list);
	char at[PLACE_MAX];
	int rc;

	items_put(base, key, items);
	snprintf(at, sizeof(at), "%s%s", here.name, here.entry);
	rc = set_string(entry, &key->group->members[0], text, at, detail);
	return rc == ERR_OK ? check_members(entry, key->group, at, detail) : rc;
}

void conf_value_defaults(void *base, const struct conf_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc;

		if (keys[i].fallback == NULL)
			continue;
		rc = conf_value_set_text(base, &keys[i], keys[i].fallback,
		                         "default", NULL);
		assert(rc == ERR_OK);
	}
}
