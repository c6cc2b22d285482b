/* SPDX-License-Identifier: ISC */
/* strict - facts first: RFC 9051 sections 4.3 and 6.2.2, RFC 2177,
 * RFC 7888. */
#include "fuzz/strict.h"

#include <assert.h>

#include "fuzz/input.h"
#include "imap/command.h"
#include "imap/line.h"
#include "imap/response.h"

#define COMMANDS_MAX ((size_t)16 * 1024 * 1024)

void strict_init(struct strict *s)
{
	*s = (struct strict){ .state = STRICT_COMMAND };
	buf_init(&s->line, COMMANDS_MAX);
	buf_init(&s->owed, COMMANDS_MAX);
}

void strict_done(struct strict *s)
{
	buf_reset(&s->line);
	buf_reset(&s->owed);
	str_free(&s->tag);
}

/* announces: |line| ends in a literal that a server would take for one. */
static bool announces(const struct strict *s, struct str line,
                      struct imap_announcement *a)
{
	*a = imap_line_announcement(line);
	/* What is refused by one server and run by another is never sent. */
	assert(a->ending == IMAP_ENDING_NONE || !a->plus);
	if (a->ending != IMAP_ENDING_LITERAL)
		return false;
	if (a->at == 0)
		return s->state == STRICT_MORE;
	return line.data[a->at - 1] == ' ' || line.data[a->at - 1] == '(';
}

/* is_owed: a command with |tag| has no reply yet. */
static bool is_owed(const struct strict *s, struct str tag)
{
	struct str rest = buf_str(&s->owed);

	while (rest.len > 0)
		if (str_eq(imap_line_body(
				   str_take(&rest, str_find(rest, '\n') + 1)),
		           tag))
			return true;
	return false;
}

/* owes_others: a command of the client's has none. */
static bool owes_others(const struct strict *s)
{
	struct str rest = buf_str(&s->owed);

	while (rest.len > 0)
		if (!str_starts(str_take(&rest, str_find(rest, '\n') + 1),
		                STR(STRICT_OUR_TAG)))
			return true;
	return false;
}

/* owe notes that the command |tag| wants a reply. */
static void owe(struct strict *s, struct str tag)
{
	if (tag.len == 0)
		return;
	assert(!is_owed(s, tag));
	assert(!str_starts(tag, STR(STRICT_OUR_TAG)) || !owes_others(s));
	must(buf_add(&s->owed, tag));
	must(buf_adds(&s->owed, "\n"));
}

/* begin notes the tag of a new command. Returns the state behind its line. */
static enum strict_state begin(struct strict *s, struct str line)
{
	struct imap_command c;
	bool parsed = imap_command_parse(line, &c) == 0;

	str_free(&s->tag);
	s->tag = str_dup(c.tag);
	s->ran_evil |= str_eq(c.tag, STR("evil"));
	owe(s, c.tag);
	if (parsed && imap_command_is(&c, STR("IDLE")))
		return STRICT_IDLE_WAIT;
	if (parsed && imap_command_is(&c, STR("AUTHENTICATE")))
		return STRICT_SASL_WAIT;
	return STRICT_COMMAND;
}

static void take_command_line(struct strict *s, struct str line)
{
	enum strict_state next = STRICT_COMMAND;
	struct imap_announcement a;

	if (s->state == STRICT_COMMAND)
		next = begin(s, line);
	if (announces(s, line, &a)) {
		/* Nobody could tell a refusal from another reply. */
		assert(s->tag.len > 0);
		assert(next == STRICT_COMMAND);
		s->literal_left = a.size;
		next = STRICT_WAIT;
	}
	s->state = next;
}

static void take_line(struct strict *s, struct str line)
{
	switch (s->state) {
	case STRICT_COMMAND:
	case STRICT_MORE:
		take_command_line(s, line);
		break;
	case STRICT_IDLE:
		s->is_excused |= str_find(line, '{') != SIZE_MAX;
		s->state = STRICT_IDLE_DONE;
		break;
	case STRICT_SASL:
		s->state = STRICT_SASL_WAIT;
		break;
	case STRICT_OCTETS:
	case STRICT_WAIT:
	case STRICT_IDLE_WAIT:
	case STRICT_IDLE_DONE:
	case STRICT_SASL_WAIT:
		assert(0);
	}
}

static void end_octets(struct strict *s)
{
	if (s->literal_left == 0)
		s->state = STRICT_MORE;
}

static void take_octets(struct strict *s, struct str *bytes)
{
	size_t n = s->literal_left < bytes->len ? (size_t)s->literal_left
	                                        : bytes->len;

	(void)str_take(bytes, n);
	s->literal_left -= n;
	end_octets(s);
}

/* may_come: anything may come at all. */
static bool may_come(const struct strict *s)
{
	return s->state != STRICT_WAIT && s->state != STRICT_IDLE_WAIT &&
	       s->state != STRICT_IDLE_DONE && s->state != STRICT_SASL_WAIT;
}

void strict_takes(struct strict *s, struct str bytes)
{
	while (bytes.len > 0) {
		struct str line;

		assert(may_come(s));
		if (s->state == STRICT_OCTETS) {
			take_octets(s, &bytes);
			continue;
		}
		line = str_take(&bytes, imap_line_first(bytes).len);
		must(buf_add(&s->line, line));
		if (!str_ends(line, STR("\n")))
			break;
		take_line(s, buf_str(&s->line));
		buf_reset(&s->line);
	}
}

/* settle removes |tag| from those that are owed. */
static void settle(struct strict *s, struct str tag)
{
	struct str rest = buf_str(&s->owed);
	struct buf left;
	bool found = false;

	buf_init(&left, COMMANDS_MAX);
	while (rest.len > 0) {
		struct str one = str_take(&rest, str_find(rest, '\n') + 1);

		if (!found && str_eq(imap_line_body(one), tag))
			found = true;
		else
			must(buf_add(&left, one));
	}
	buf_reset(&s->owed);
	s->owed = left;
}

/* answered: the command at hand is over, whatever was to come of it. */
static void answered(struct strict *s)
{
	str_free(&s->tag);
	switch (s->state) {
	case STRICT_COMMAND:
	case STRICT_MORE:
	case STRICT_OCTETS: /* which are on their way */
		break;
	case STRICT_WAIT:
	case STRICT_IDLE_WAIT:
	case STRICT_IDLE:
	case STRICT_IDLE_DONE:
	case STRICT_SASL_WAIT:
	case STRICT_SASL:
		s->state = STRICT_COMMAND;
		break;
	}
}

static void says_tagged(struct strict *s, struct str tag)
{
	settle(s, tag);
	if (s->tag.len > 0 && str_eq(tag, s->tag) && !is_owed(s, tag))
		answered(s);
}

void strict_says(struct strict *s, struct str response)
{
	struct imap_response r;

	if (imap_response_parse(response, &r) != 0)
		return;
	if (r.cls == IMAP_CLASS_TAGGED) {
		says_tagged(s, r.tag);
	} else if (r.cls == IMAP_CLASS_CONTINUATION) {
		if (s->state == STRICT_IDLE_WAIT)
			s->state = STRICT_IDLE;
		if (s->state == STRICT_SASL_WAIT)
			s->state = STRICT_SASL;
		if (s->state == STRICT_WAIT) {
			s->pluses++;
			s->state = STRICT_OCTETS;
			end_octets(s);
		}
	}
}

bool strict_owes(const struct strict *s, struct buf *out)
{
	struct str first = imap_line_first(buf_str(&s->owed));

	if (first.len == 0)
		return false;
	must(buf_add(out, imap_line_body(first)));
	must(buf_adds(out, " OK done\r\n"));
	return true;
}
