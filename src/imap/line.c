/* SPDX-License-Identifier: ISC */
/*
 * line - where lines end and what that end announces. RFC 9051 sections 2.2,
 * 4.3, 7 and 9, RFC 7888 ({n+}), RFC 3516 (~{n}). Knows nothing of streams.
 */
#include "imap/line.h"

struct str imap_line_body(struct str line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n') {
		line.len--;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
	}
	return line;
}

struct str imap_line_first(struct str text)
{
	size_t lf = str_find(text, '\n');

	return lf != SIZE_MAX ? str_sub(text, 0, lf + 1) : text;
}

size_t imap_line_find_bad(struct str line)
{
	size_t nul = str_find(line, '\0');
	size_t cr = str_find(line, '\r');

	/* Only the first CR counts: one before LF or at the end is the last
	 * of its line, any other is bad. */
	if (cr != SIZE_MAX && (cr + 1 == line.len || line.data[cr + 1] == '\n'))
		cr = SIZE_MAX;
	return nul < cr ? nul : cr;
}

#define WORD(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

/* What a server may say of a command, first, and of itself. */
static const struct str status_words[] = {
	WORD("OK"), WORD("NO"), WORD("BAD"), WORD("BYE"), WORD("PREAUTH"),
};

enum { STATUS_TAGGED = 3, STATUS_ALL = 5 };

/*
 * take_word takes |word| from |in| when SP or the line end (or the end of what
 * is known) follows it: `* OKAY` is no status.
 */
static bool take_word(struct str *in, struct str word)
{
	struct str rest = *in;

	if (!str_istarts(rest, word))
		return false;
	(void)str_take(&rest, word.len);
	if (rest.len > 0 && rest.data[0] != ' ' && rest.data[0] != '\r' &&
	    rest.data[0] != '\n')
		return false;
	*in = rest;
	return true;
}

/* take_status takes one of the first |count| status words. */
static bool take_status(struct str *in, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (take_word(in, status_words[i]))
			return true;
	return false;
}

/* skip_blanks takes the spaces off the front. */
static struct str skip_blanks(struct str in)
{
	while (str_byte(&in, ' '))
		;
	return in;
}

/*
 * RFC 9051 section 9:
 *   response-tagged   = tag SP resp-cond-state CRLF
 *   resp-cond-state   = ("OK" / "NO" / "BAD") SP resp-text
 *   tag               = 1*<any ASTRING-CHAR except "+">
 * Wider: servers return the tags that clients invent, so anything up to SP
 * that holds no control character is taken for one.
 */
static enum imap_class class_tagged(struct str head, struct str *text_r)
{
	size_t sp = str_find(imap_line_first(head), ' ');
	struct str tag;

	if (sp == SIZE_MAX || sp == 0)
		return IMAP_CLASS_OTHER;
	tag = str_take(&head, sp + 1);
	for (size_t i = 0; i < sp; i++)
		if ((unsigned char)tag.data[i] < ' ')
			return IMAP_CLASS_OTHER;
	if (!take_status(&head, STATUS_TAGGED))
		return IMAP_CLASS_OTHER;
	*text_r = skip_blanks(head);
	return IMAP_CLASS_TAGGED;
}

/*
 *   response-data     = "*" SP (resp-cond-state / resp-cond-bye /
 *                       mailbox-data / message-data / capability-data /
 *                       enable-data) CRLF
 *   continue-req      = "+" SP (resp-text / base64) CRLF
 * "+" alone and "+text" are taken too, some servers leave the SP out.
 */
enum imap_class imap_line_class(struct str head, struct str *text_r)
{
	*text_r = STR_NULL;
	if (str_starts(head, STR("+")))
		return IMAP_CLASS_CONTINUATION;
	if (str_starts(head, STR("* "))) {
		(void)str_take(&head, 2);
		if (!take_status(&head, STATUS_ALL))
			return IMAP_CLASS_DATA;
		*text_r = skip_blanks(head);
		return IMAP_CLASS_STATUS;
	}
	if (str_starts(head, STR("*")))
		return IMAP_CLASS_OTHER;
	return class_tagged(head, text_r);
}

bool imap_line_is_capability(struct str head)
{
	if (!str_starts(head, STR("* ")))
		return false;
	(void)str_take(&head, 2);
	return take_word(&head, STR("CAPABILITY"));
}

/*
 *   quoted          = DQUOTE *QUOTED-CHAR DQUOTE
 *   QUOTED-CHAR     = <any TEXT-CHAR except quoted-specials> /
 *                     "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
 */
void imap_quotes_scan(struct imap_quotes *q, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!q->open) {
			size_t skip = str_find(str_sub(text, i, SIZE_MAX), '"');

			if (skip == SIZE_MAX)
				return;
			i += skip;
			q->open = true;
		} else if (q->escaped) {
			q->escaped = false;
		} else if (c == '\\') {
			q->escaped = true;
		} else if (c == '"') {
			q->open = false;
		}
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* find_last returns the index of the last |byte|, or SIZE_MAX. */
static size_t find_last(struct str s, char byte)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.data[i - 1] == byte)
			return i - 1;
	return SIZE_MAX;
}

/* all_digits: a number goes on before what the tail shows. */
static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.data[i]))
			return false;
	return s.len > 0;
}

/*
 * read_size judges what stands between the braces; "+" is off already.
 * Servers were seen to read "", "5 +" and 2^64+5 each in its own way.
 */
static enum imap_ending read_size(struct str digits, uint64_t *size_r)
{
	if (!all_digits(digits))
		return IMAP_ENDING_BROKEN;
	/* Twenty digits with zeros in front are one number to one server and
	 * no literal to the next. */
	if (digits.len > 19)
		return IMAP_ENDING_HUGE;
	if (str_number(&digits, INT64_MAX, size_r) != 0)
		return IMAP_ENDING_HUGE;
	return IMAP_ENDING_LITERAL;
}

/*
 *   literal         = "{" number64 ["+"] "}" CRLF *CHAR8
 *   literal8        = "~{" number64 ["+"] "}" CRLF *OCTET
 */
struct imap_announcement imap_line_announcement(struct str line)
{
	struct imap_announcement a = { .ending = IMAP_ENDING_NONE };
	struct str body = imap_line_body(line);
	/* Of the tail two octets are for the line end and two for what stands
	 * before the brace. */
	size_t window = IMAP_LINE_TAIL - 4;
	size_t from = body.len > window ? body.len - window : 0;
	struct str inside = str_sub(body, from, SIZE_MAX);
	size_t brace;

	if (inside.len == 0 || inside.data[inside.len - 1] != '}')
		return a;
	inside.len--;
	brace = find_last(inside, '{');
	if (brace == SIZE_MAX && from == 0)
		return a;
	if (brace != SIZE_MAX)
		(void)str_take(&inside, brace + 1);
	a.plus = str_find(inside, '+') != SIZE_MAX;
	if (str_ends(inside, STR("+")))
		inside.len--;
	if (brace == SIZE_MAX) {
		/* Digits as far as the tail reaches: no size of ours. */
		if (all_digits(inside))
			a.ending = IMAP_ENDING_HUGE;
		return a;
	}
	/* {word} is text to every server. */
	if (inside.len > 0 && !is_digit(inside.data[0]) &&
	    str_find(STR("+- "), inside.data[0]) == SIZE_MAX)
		return a;
	a.at = from + brace;
	a.binary = a.at > 0 && line.data[a.at - 1] == '~';
	if (a.binary)
		a.at--;
	a.ending = read_size(inside, &a.size);
	return a;
}
