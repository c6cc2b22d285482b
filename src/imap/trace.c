/* SPDX-License-Identifier: ISC */
/*
 * trace - frames for a person to read. A frame is judged without those before
 * it, so whatever could be the rest of a login is not shown: lines that go on
 * after a literal, and lines that are no command of a known form.
 */
#include "imap/trace.h"

#include "base/err.h"
#include "imap/command.h"
#include "imap/line.h"

enum {
	TOKEN_SHOWN = 8,  /* digits of a device token */
	TOKEN_LEAST = 16, /* digits that may be (a part of) one */
};

/* show appends |text|, unprintable octets as \xHH, as much as there is room
 * for. */
static void show(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		int rc = c < 0x20 || c > 0x7e ? buf_printf(out, "\\x%02x", c)
		                              : buf_append(out, &c, 1);

		if (rc != ERR_OK)
			return;
	}
}

static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* take_digits takes the hexadecimal digits at the front, and the backslashes
 * with which a quoted string may be strewn. */
static struct str take_digits(struct str *in)
{
	size_t len = 0;

	while (len < in->len &&
	       (is_hex_digit(in->data[len]) || in->data[len] == '\\'))
		len++;
	return str_take(in, len);
}

/* show_tokens shows |text| with device tokens cut. */
static void show_tokens(struct str text, struct buf *out)
{
	while (text.len > 0) {
		struct str digits = take_digits(&text);

		if (digits.len >= TOKEN_LEAST) {
			show(str_sub(digits, 0, TOKEN_SHOWN), out);
			show(STR("..."), out);
		} else {
			show(digits, out);
		}
		show(str_take(&text, 1), out);
	}
}

/* show_size stands for |len| octets of |what|. */
static void show_size(const char *what, size_t len, struct buf *out)
{
	struct buf text;

	buf_init(&text, 64);
	if (buf_printf(&text, "<%s, %zu octets>", what, len) == ERR_OK)
		show(buf_str(&text), out);
	buf_reset(&text);
}

/* is_mechanism: the name of one, and nothing that only stands where a name
 * should (RFC 4422 section 3.1). */
static bool is_mechanism(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return s.len > 0 && s.len <= 20;
}

/* show_authenticate shows the mechanism and never the initial response. */
static void show_authenticate(struct str args, struct buf *out)
{
	struct str name = str_take(&args, str_find(args, ' '));

	if (!is_mechanism(name)) {
		show(STR(" <secret>"), out);
		return;
	}
	show(STR(" "), out);
	show(name, out);
	if (args.len > 0)
		show(STR(" <secret>"), out);
}

/* is_secret: what follows the verb of |c| is, or may be, a password. */
static bool is_secret(const struct imap_command *c, enum imap_trace trace)
{
	if (imap_command_is(c, STR("LOGIN")))
		return true;
	return trace == IMAP_TRACE_STRANGER && c->args.len > 0 &&
	       !imap_command_is(c, STR("ID"));
}

/* show_command shows a client's first line, of which the end may be missing. */
static void show_command(struct str line, enum imap_trace trace,
                         struct buf *out)
{
	struct imap_command c;

	if (imap_command_parse(line, &c) != ERR_OK) {
		/* What two servers read differently may be a login. */
		if (str_ieq(imap_line_body(line), STR("DONE")))
			show(imap_line_body(line), out);
		else
			show_size("no command", line.len, out);
		return;
	}
	show(c.tag, out);
	show(STR(" "), out);
	show(c.verb, out);
	if (imap_command_is(&c, STR("AUTHENTICATE"))) {
		show_authenticate(c.args, out);
	} else if (is_secret(&c, trace)) {
		show(STR(" <secret>"), out);
	} else if (c.args.len > 0) {
		show(STR(" "), out);
		show_tokens(c.args, out);
	}
}

void imap_trace_frame(const struct imap_frame *frame, enum imap_trace trace,
                      struct buf *out)
{
	if (frame->kind == IMAP_FRAME_LITERAL)
		show_size("literal", frame->text.len, out);
	else if (frame->kind == IMAP_FRAME_BAD)
		show_size(imap_frame_error_text(frame->error), frame->text.len,
		          out);
	else if (trace == IMAP_TRACE_SECRET)
		show(STR("<secret>"), out);
	else if (!frame->first)
		show_size("continued", frame->text.len, out);
	else if (frame->cls == IMAP_CLASS_NONE)
		show_command(frame->text, trace, out);
	else
		show(imap_line_body(frame->text), out);
}
