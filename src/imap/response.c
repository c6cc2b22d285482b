/* SPDX-License-Identifier: ISC */
/*
 * response - a server's response in its parts, RFC 9051 section 7. Reads
 * widely: a server's odd spacing must not cost anybody a push.
 */
#include "imap/response.h"

#include "base/err.h"
#include "imap/line.h"

static const struct {
	const char *word;
	enum imap_status status;
} statuses[] = {
	{ "OK", IMAP_STATUS_OK },           { "NO", IMAP_STATUS_NO },
	{ "BAD", IMAP_STATUS_BAD },         { "BYE", IMAP_STATUS_BYE },
	{ "PREAUTH", IMAP_STATUS_PREAUTH },
};

/* The codes of RFC 5530 that refuse for good. */
static const char *const final_codes[] = {
	"NONEXISTENT",
	"NOPERM",
	"CANNOT",
};

/* take_word takes all up to the next SP or line end. */
static struct str take_word(struct str *in)
{
	size_t len = 0;

	while (len < in->len && in->data[len] != ' ' && in->data[len] != '\r' &&
	       in->data[len] != '\n')
		len++;
	return str_take(in, len);
}

/* skip_blanks takes the spaces off the front. */
static void skip_blanks(struct str *in)
{
	while (str_byte(in, ' '))
		;
}

static enum imap_status find_status(struct str word)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (str_ieq(word, str_of(statuses[i].word)))
			return statuses[i].status;
	return IMAP_STATUS_NONE;
}

/*
 *   resp-text       = ["[" resp-text-code "]" SP] [text]
 * A "[" that is never closed is text.
 */
static void split_text(struct str text, struct imap_response *r)
{
	size_t end = str_find(text, ']');

	if (str_starts(text, STR("[")) && end != SIZE_MAX) {
		r->code = str_sub(text, 1, end - 1);
		(void)str_take(&text, end + 1);
		(void)str_byte(&text, ' ');
	}
	r->text = text;
}

/* split_status reads `OK [CODE] text`. */
static void split_status(struct str in, struct imap_response *r)
{
	r->status = find_status(take_word(&in));
	skip_blanks(&in);
	split_text(in, r);
}

/*
 *   message-data    = nz-number SP ("EXPUNGE" / ("FETCH" SP msg-att))
 *   mailbox-data    = ... / number SP "EXISTS" / ...
 */
static void split_data(struct str in, struct imap_response *r)
{
	struct str digits;

	skip_blanks(&in);
	r->keyword = take_word(&in);
	digits = r->keyword;
	if (str_number(&digits, UINT64_MAX, &r->number) == ERR_OK &&
	    digits.len == 0) {
		r->has_number = true;
		skip_blanks(&in);
		r->keyword = take_word(&in);
	}
	(void)str_byte(&in, ' ');
	r->rest = in;
}

int imap_response_parse(struct str response, struct imap_response *r_r)
{
	struct str in = imap_line_body(response);
	struct str text;

	*r_r = (struct imap_response){
		.cls = imap_line_class(response, &text),
	};
	switch (r_r->cls) {
	case IMAP_CLASS_CONTINUATION:
		(void)str_take(&in, 1);
		(void)str_byte(&in, ' ');
		r_r->text = in;
		return ERR_OK;
	case IMAP_CLASS_STATUS:
		(void)str_take(&in, 2);
		split_status(in, r_r);
		return ERR_OK;
	case IMAP_CLASS_DATA:
		(void)str_take(&in, 2);
		split_data(in, r_r);
		return ERR_OK;
	case IMAP_CLASS_TAGGED:
		r_r->tag = take_word(&in);
		(void)str_take(&in, 1);
		split_status(in, r_r);
		return ERR_OK;
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_OTHER:
		break;
	}
	r_r->cls = IMAP_CLASS_OTHER;
	return ERR_PARSE;
}

bool imap_response_is(const struct imap_response *r, struct str keyword)
{
	return r->cls == IMAP_CLASS_DATA && str_ieq(r->keyword, keyword);
}

bool imap_response_code(const struct imap_response *r, struct str word,
                        struct str *rest_r)
{
	struct str rest = r->code;
	struct str name = take_word(&rest);

	if (name.len == 0 || !str_ieq(name, word))
		return false;
	skip_blanks(&rest);
	*rest_r = rest;
	return true;
}

bool imap_response_is_final(const struct imap_response *r)
{
	struct str rest;

	if (r->status == IMAP_STATUS_BAD || r->code.len == 0)
		return true;
	for (size_t i = 0; i < sizeof(final_codes) / sizeof(final_codes[0]);
	     i++)
		if (imap_response_code(r, str_of(final_codes[i]), &rest))
			return true;
	return false;
}
