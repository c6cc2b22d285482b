/* SPDX-License-Identifier: ISC */
/*
 * command - the head of a client's command (RFC 9051 section 9). Strict on
 * purpose: what one server takes for a command and another does not must not
 * be acted on here.
 */
#include "imap/command.h"

#include "base/err.h"
#include "imap/line.h"

/*
 *   tag             = 1*<any ASTRING-CHAR except "+">
 *   ASTRING-CHAR    = ATOM-CHAR / resp-specials
 *   ATOM-CHAR       = <any CHAR except atom-specials>
 *   atom-specials   = "(" / ")" / "{" / SP / CTL / list-wildcards /
 *                     quoted-specials / resp-specials
 */
static bool is_tag_char(char c)
{
	if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f)
		return false;
	return str_find(STR("(){%*\"\\+"), c) == SIZE_MAX;
}

/* Every command known is made of letters, a "-" in some; digits for those to
 * come. */
static bool is_verb_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-';
}

/* take_word takes the longest run of octets that |is| likes. */
static struct str take_word(struct str *in, bool (*is)(char))
{
	size_t len = 0;

	while (len < in->len && is(in->data[len]))
		len++;
	return str_take(in, len);
}

int imap_command_parse(struct str line, struct imap_command *c_r)
{
	struct str rest = imap_line_body(imap_line_first(line));
	struct str tag = take_word(&rest, is_tag_char);
	struct str verb;

	*c_r = (struct imap_command){ .tag = STR_NULL };
	if (tag.len == 0 || tag.len > IMAP_TAG_MAX ||
	    (rest.len > 0 && rest.data[0] != ' '))
		return ERR_PARSE;
	c_r->tag = tag;
	(void)str_byte(&rest, ' ');
	verb = take_word(&rest, is_verb_char);
	if (verb.len == 0 || (rest.len > 0 && !str_byte(&rest, ' ')) ||
	    str_starts(rest, STR(" ")))
		return ERR_PARSE;
	c_r->verb = verb;
	c_r->args = rest;
	return ERR_OK;
}

bool imap_command_is(const struct imap_command *c, struct str verb)
{
	return str_ieq(c->verb, verb);
}
