/* SPDX-License-Identifier: ISC */
/*
 * What an operator writes. The first byte chooses: "f" a file, "u" a url, "n" a
 * network, "o" a KEY=VALUE as after -o. Whatever it holds, every key keeps to
 * its type and range, and a refusal comes with a sentence.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf_set.h"
#include "conf/url.h"
#include "fuzz/input.h"
#include "net/network.h"

const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses a string when what follows is a syntax error. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static void check_choice(const struct conf_key *key, const char *value)
{
	const char *at = strstr(key->choices, value);
	size_t len = strlen(value);

	assert(len > 0 && at != NULL);
	assert(at == key->choices || at[-1] == ' ');
	assert(at[len] == '\0' || at[len] == ' ');
}

static void check_string(const struct conf_key *key, const char *text)
{
	struct err_detail why;

	assert(key->fallback == NULL || text != NULL);
	assert(key->fallback != NULL || text == NULL || *text != '\0');
	assert(!key->required || text != NULL);
	if (text != NULL && key->check != NULL)
		assert(key->check(text, &why) == ERR_OK);
}

static void check_keys(const void *base, const struct conf_key *keys,
                       size_t count);

/* Any of the lists serves to look at their common shape. */
static void check_groups(const struct conf_key *key, const void *field)
{
	const struct conf_group *group = key->group;
	struct conf_listens list;

	memcpy(&list, field, sizeof(list));
	for (size_t i = 0; i < list.count; i++)
		check_keys((const char *)list.list + i * group->size,
		           group->members, group->count);
}

static void check_key(const void *base, const struct conf_key *key)
{
	const void *field = (const char *)base + key->offset;
	const struct conf_strings *list = field;
	unsigned number;

	switch (key->type) {
	case CONF_CHOICE:
		check_choice(key, *(char *const *)field);
		return;
	case CONF_STRING:
		check_string(key, *(char *const *)field);
		return;
	case CONF_NUMBER:
		number = *(const unsigned *)field;
		assert(number >= key->min && number <= key->max);
		return;
	case CONF_BOOL:
		return;
	case CONF_STRINGS:
		for (size_t i = 0; i < list->count; i++)
			assert(list->list[i] != NULL);
		return;
	case CONF_GROUPS:
		check_groups(key, field);
		return;
	}
}

static void check_keys(const void *base, const struct conf_key *keys,
                       size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_key(base, &keys[i]);
}

static int set_file(struct conf *c, struct str text, struct err_detail *detail)
{
	char path[64];
	int fd, rc;

	/* Not to read whatever the fuzzer names. */
	if (memmem(text.data, text.len, "@include", 8) != NULL)
		return ERR_OK;
	fd = memfd_create("conf", MFD_CLOEXEC);
	assert(fd >= 0);
	if (write(fd, text.data, text.len) != (ssize_t)text.len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = conf_set_file(c, path, detail);
	close(fd);
	assert(rc == ERR_OK || rc == ERR_INVALID);
	assert(rc == ERR_OK || strstr(detail->text, path) != NULL);
	return rc;
}

static int set_text(struct conf *c, struct str text, struct err_detail *detail)
{
	size_t equals = str_find(text, '=');
	const struct conf_key *key = conf_key_find(
		str_sub(text, 0, equals == SIZE_MAX ? 0 : equals));
	struct str copy;
	int rc;

	if (key == NULL)
		return ERR_OK;
	copy = str_dup(str_sub(text, equals + 1, SIZE_MAX));
	rc = conf_set_text(c, key, copy.data, "-o", detail);
	str_free(&copy);
	assert(rc == ERR_OK || rc == ERR_INVALID);
	return rc;
}

static void parse_network(struct str text)
{
	struct network n;

	if (network_parse(text, &n) != ERR_OK)
		return;
	assert(n.bits <= 8 * address_len(&n.address));
	assert(network_has(&n, &n.address));
}

static int parse_url(struct str text, struct err_detail *detail)
{
	struct conf_url u;
	int rc = conf_url_parse(text, &u, detail);

	if (rc == ERR_OK) {
		assert(u.host.len > 0 && u.host.len <= 255);
		assert(u.host.data > text.data);
		assert(u.host.data + u.host.len <= text.data + text.len);
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct err_detail detail = { "" };
	struct conf c = { 0 };
	int rc = ERR_OK;

	if (size == 0)
		return 0;
	str_take(&in, 1);
	conf_set_defaults(&c);
	if (data[0] == 'f')
		rc = set_file(&c, in, &detail);
	else if (data[0] == 'u')
		rc = parse_url(in, &detail);
	else if (data[0] == 'o')
		rc = set_text(&c, in, &detail);
	else
		parse_network(in);
	assert((rc != ERR_OK) == (detail.text[0] != '\0'));
	check_keys(&c, conf_keys, conf_key_count);
	conf_done(&c);
	return 0;
}
