/* SPDX-License-Identifier: ISC */
/*
 * What an operator writes. The first byte chooses: "f" a file, "u" a url, else
 * the value of the key with that number, as after -o. Whatever it holds, every
 * key keeps to its type and range, and a refusal comes with a sentence.
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

static void check_key(const struct conf *c, const struct conf_key *key)
{
	const void *field = (const char *)c + key->offset;
	const struct conf_strings *list = field;
	const char *text;
	unsigned number;

	switch (key->type) {
	case CONF_CHOICE:
		check_choice(key, *(char *const *)field);
		return;
	case CONF_STRING:
		text = *(char *const *)field;
		assert(key->fallback == NULL || text != NULL);
		assert(key->fallback != NULL || text == NULL || *text != '\0');
		return;
	case CONF_NUMBER:
		number = *(const unsigned *)field;
		assert(number >= key->min && number <= key->max);
		return;
	case CONF_BOOL:
		return;
	case CONF_STRINGS:
	case CONF_LISTEN:
		for (size_t i = 0; i < list->count; i++)
			assert(list->list[i] != NULL);
		return;
	}
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

static int set_text(struct conf *c, size_t index, struct str text,
                    struct err_detail *detail)
{
	struct str copy = str_dup(text);
	int rc = conf_set_text(c, &conf_keys[index % conf_key_count], copy.data,
	                       "-o", detail);

	str_free(&copy);
	assert(rc == ERR_OK || rc == ERR_INVALID);
	return rc;
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
	int rc;

	if (size == 0)
		return 0;
	str_take(&in, 1);
	conf_set_defaults(&c);
	if (data[0] == 'f')
		rc = set_file(&c, in, &detail);
	else if (data[0] == 'u')
		rc = parse_url(in, &detail);
	else
		rc = set_text(&c, data[0], in, &detail);
	assert((rc != ERR_OK) == (detail.text[0] != '\0'));
	for (size_t i = 0; i < conf_key_count; i++)
		check_key(&c, &conf_keys[i]);
	conf_done(&c);
	return 0;
}
