/* SPDX-License-Identifier: ISC */
/* request - see request.h. */
#include "status/request.h"

#include <stdbool.h>

static const struct {
	struct str name;
	enum request_method method;
} methods[] = {
	{ { "GET", 3 }, REQUEST_GET },
	{ { "HEAD", 4 }, REQUEST_HEAD },
};

/* RFC 9112 section 2.2: a line may end with LF alone. */
static struct str take_line(struct str *in)
{
	size_t end = str_find(*in, '\n');
	struct str line = str_take(in, end);

	(void)str_byte(in, '\n');
	if (str_ends(line, STR("\r")))
		line.len--;
	return line;
}

/* is_whole: the empty line is there that ends a head. */
static bool is_whole(struct str in)
{
	while (str_find(in, '\n') != SIZE_MAX)
		if (take_line(&in).len == 0)
			return true;
	return false;
}

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f)
			return false;
	return s.len > 0;
}

/* take_word takes what stands before the next space, and that. */
static struct str take_word(struct str *line)
{
	struct str word = str_take(line, str_find(*line, ' '));

	(void)str_byte(line, ' ');
	return word;
}

static enum request_method method_of(struct str word)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_eq(methods[i].name, word))
			return methods[i].method;
	return REQUEST_OTHER;
}

/* path_of: section 3.2: a path, or a whole URL, whose path may be empty, and a
 * query perhaps. */
static struct str path_of(struct str target)
{
	bool is_whole_url = str_istarts(target, STR("http://"));

	target = str_sub(target, 0, str_find(target, '?'));
	if (is_whole_url) {
		(void)str_take(&target, sizeof("http://") - 1);
		(void)str_take(&target, str_find(target, '/'));
	}
	return is_whole_url && target.len == 0 ? STR("/") : target;
}

/*
 * RFC 9112 section 3:
 * request-line = method SP request-target SP HTTP-version
 * HTTP-version = "HTTP" "/" DIGIT "." DIGIT
 */
static int parse_line(struct str line, struct request *r_r)
{
	struct str method = take_word(&line);
	struct str target = take_word(&line);

	if (!is_visible(method) || !is_visible(target) || line.len != 8 ||
	    !str_starts(line, STR("HTTP/1.")) || line.data[7] < '0' ||
	    line.data[7] > '9')
		return ERR_PARSE;
	r_r->method = method_of(method);
	r_r->path = path_of(target);
	return ERR_OK;
}

int request_parse(struct str in, struct request *r_r)
{
	struct str head = str_sub(in, 0, REQUEST_MAX);
	bool whole;

	/* Section 2.2: an empty line or two before it mean nothing. */
	while (str_starts(head, STR("\r\n")))
		(void)str_take(&head, 2);
	whole = is_whole(head);
	if (whole)
		return parse_line(take_line(&head), r_r);
	return in.len > REQUEST_MAX ? ERR_LIMIT : ERR_MORE;
}
