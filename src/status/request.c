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

/* RFC 9110 section 5.6.2: token = 1*tchar, any visible but the delimiters. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (str_find(STR("\"(),/:;<=>?@[\\]{}"), s.data[i]) != SIZE_MAX)
			return false;
	return is_visible(s);
}

/*
 * RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS
 * What a field says does not matter here. But a head that another server may
 * read in another way is refused: with a space before a colon (section 5.1), a
 * line that continues the one before (section 5.2), two hosts, or no host since
 * HTTP/1.1 (section 3.2).
 */
static int check_fields(struct str lines, bool needs_host)
{
	unsigned hosts = 0;
	struct str line;

	while ((line = take_line(&lines)).len > 0) {
		struct str name = str_take(&line, str_find(line, ':'));

		if (!is_token(name) || line.len == 0)
			return ERR_PARSE;
		hosts += str_ieq(name, STR("Host"));
	}
	return hosts == 1 || (hosts == 0 && !needs_host) ? ERR_OK : ERR_PARSE;
}

int request_parse(struct str in, struct request *r_r)
{
	struct str head = str_sub(in, 0, REQUEST_MAX);
	struct request r;
	struct str line;
	int rc;

	/* Section 2.2: an empty line or two before it mean nothing. */
	while (str_starts(head, STR("\r\n")))
		(void)str_take(&head, 2);
	if (!is_whole(head))
		return in.len > REQUEST_MAX ? ERR_LIMIT : ERR_MORE;
	line = take_line(&head);
	rc = parse_line(line, &r);
	if (rc == ERR_OK)
		rc = check_fields(head, !str_ends(line, STR("HTTP/1.0")));
	if (rc == ERR_OK)
		*r_r = r;
	return rc;
}
