/* SPDX-License-Identifier: ISC */
/* conf_text - see conf_text.h. */
#include "conf/conf_text.h"

#include "conf/conf.h"
#include "conf/conf_field.h"

/* Writing: the first failure stays. */
struct writer {
	struct buf *out;
	int rc;
};

static void put(struct writer *w, const char *text)
{
	if (w->rc == ERR_OK)
		w->rc = buf_adds(w->out, text);
}

/* put_string writes a string of libconfig's: what is no text as \xHH. */
static void put_string(struct writer *w, const char *text)
{
	put(w, "\"");
	for (; *text != '\0' && w->rc == ERR_OK; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			w->rc = buf_printf(w->out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			w->rc = buf_printf(w->out, "\\x%02x", c);
		else
			w->rc = buf_append(w->out, text, 1);
	}
	put(w, "\"");
}

static void put_strings(struct writer *w, const struct conf_strings *list)
{
	put(w, "(");
	for (size_t i = 0; i < list->count; i++) {
		put(w, i > 0 ? ", " : "");
		put_string(w, list->list[i]);
	}
	put(w, ")");
}

static void put_number(struct writer *w, unsigned n)
{
	if (w->rc == ERR_OK)
		w->rc = buf_printf(w->out, "%u", n);
}

static bool is_string(const struct conf_key *key)
{
	return key->type == CONF_STRING || key->type == CONF_CHOICE;
}

/* string_of is NULL if it is not set. */
static const char *string_of(const void *base, const struct conf_key *key)
{
	return *(char *const *)conf_field_of(base, key);
}

static void put_value(struct writer *w, const void *base,
                      const struct conf_key *key);

/* put_entry writes an entry of a list, what is set of it. */
static void put_entry(struct writer *w, const void *entry,
                      const struct conf_group *group)
{
	put(w, "{ ");
	for (size_t i = 0; i < group->count; i++) {
		const struct conf_key *key = &group->members[i];

		if (is_string(key) && string_of(entry, key) == NULL)
			continue;
		put(w, key->path);
		put(w, " = ");
		put_value(w, entry, key);
		put(w, "; ");
	}
	put(w, "}");
}

static void put_groups(struct writer *w, const void *base,
                       const struct conf_key *key)
{
	const struct conf_items items = conf_items_of(base, key);

	put(w, "(");
	for (size_t n = 0; n < items.count; n++) {
		put(w, n > 0 ? ", " : "");
		put_entry(w, conf_item(&items, key->group, n), key->group);
	}
	put(w, ")");
}

static void put_value(struct writer *w, const void *base,
                      const struct conf_key *key)
{
	const void *field = conf_field_of(base, key);

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		put_string(w, string_of(base, key));
		break;
	case CONF_NUMBER:
		put_number(w, *(const unsigned *)field);
		break;
	case CONF_BOOL:
		put(w, *(const bool *)field ? "true" : "false");
		break;
	case CONF_STRINGS:
		put_strings(w, field);
		break;
	case CONF_GROUPS:
		put_groups(w, base, key);
		break;
	}
}

int conf_text(const void *base, const struct conf_key *key, struct buf *out)
{
	struct writer w = { out, ERR_OK };
	const char *text;

	if (!is_string(key)) {
		put_value(&w, base, key);
		return w.rc;
	}
	/* As it stands; not set is the same as empty. */
	text = string_of(base, key);
	put(&w, "\"");
	put(&w, text != NULL ? text : "");
	put(&w, "\"");
	return w.rc;
}
