/* SPDX-License-Identifier: ISC */
/*
 * What holds for every stream of a server, shown with one that has all that
 * looks like capability text, a literal or the end of a response and is none,
 * and some that is: it makes no difference where reads fall; what is not edited
 * is not touched; and lines of our own come between responses only.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "stage/stage.h"
#include "unit/unit.h"

/* STR is no constant. */
#define TEXT(literal)                          \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

/* What is never edited. */
static const struct str plain[] = {
	TEXT("* 1 FETCH (BODY[] {46}\r\n* CAPABILITY IMAP4rev1\r\n"
	     "a1 OK [CAPABILITY X]\r\n)\r\n"),
	/* One octet short: the line ends with the LF behind it. */
	TEXT("* 2 FETCH (BODY[] {45}\r\n* CAPABILITY IMAP4rev1\r\n"
	     "a1 OK [CAPABILITY X]\r\n"),
	TEXT(")\r\n"),
	TEXT("a1 OK done\r\n"),
	TEXT("* 1 FETCH (ENVELOPE (\"x\" \"* CAPABILITY A \\\" {5}\" NIL))\r\n"),
	TEXT("* 1 FETCH (UID 9 BODY[1]<393216> {0}\r\n)\r\n"),
	TEXT("A1 OK x\r\n"),
	TEXT("* 3 FETCH (BINARY[1] ~{4}\r\n\0\1\r\n)\r\n"),
	TEXT("* LIST () \"/\" {5}\r\nIN\r\nB\r\n"),
	TEXT("* LIST () {1}\r\n/ {31}\r\n* OK [CAPABILITY IMAP4rev1] x\r\n\r\n"),
	TEXT("* OK see {5}\r\n"),
	TEXT("* OK Hello \" foo\r\n"),
	TEXT("* OK CAPABILITY COMPRESS=DEFLATE\r\n"),
	TEXT("* NO [BADCHARSET ({5}\r\nUTF-8 {3}\r\nX]Y)] no\r\n"),
	TEXT("a OK {10}\r\n"),
	TEXT("* CAPABILITYX\r\n"),
	TEXT("* OK [PERMANENTFLAGS (\\*)] [CAPABILITY]\r\n"),
	TEXT("* STATUS INBOX (MESSAGES 1)\r\n"),
	TEXT("* 4 FETCH (FLAGS (\\Seen) X {3+}\r\n"),
	TEXT("*  12 EXISTS\n"),
	TEXT("a  OK  \n"),
	TEXT("b OK\r\n"),
	TEXT("* 5 FETCH (X caf\xc3\xa9 \xff\r\n"),
	TEXT("* 6 EXISTS\r \r\n"),
	TEXT("nonsense {4}\r\n"),
	TEXT("\r\n"),
	TEXT("+ {3}\r\n"),
};

/* What is, and what is only if there is something to edit. */
static const struct str lists[] = {
	TEXT("* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\n"),
	TEXT("* CAPABILITY  IMAP4rev1  ID \r\n"),
	TEXT("* ok [capability IMAP4rev1 id]\r\n"),
	TEXT("* OK [CAPABILITY IMAP4rev1 ID]\r\n"),
	TEXT("a OK [CAPABILITY IMAP4rev1 ID ] x\n"),
	TEXT("* BYE [CAPABILITY ID] x\r\n"),
};

static void add_all(struct buf *to, const struct str *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buf_add(to, texts[i]), 0);
}

static void begin(struct stage *st, struct buf *stream, bool push)
{
	stage_init(st);
	st->opts.push_enabled = push;
	stage_start(st);
	stage_login(st);
	buf_init(stream, (size_t)64 * 1024);
	add_all(stream, plain, sizeof(plain) / sizeof(plain[0]));
	add_all(stream, lists, sizeof(lists) / sizeof(lists[0]));
}

static void end(struct stage *st, struct buf *stream)
{
	buf_reset(stream);
	stage_done(st);
}

static void say(struct stage *st, struct str text)
{
	fake_push(st->backend, text);
	fake_run(st->loop);
}

/* take moves what the client saw to |to|. */
static void take(struct stage *st, struct buf *to)
{
	buf_clear(to);
	assert_int_equal(buf_add(to, fake_written(st->client)), 0);
	fake_written_clear(st->client);
}

static void reads_fall_anywhere(void **arg)
{
	struct stage st;
	struct buf stream;
	struct buf whole;
	struct buf seen;

	(void)arg;
	begin(&st, &stream, true);
	buf_init(&whole, (size_t)64 * 1024);
	buf_init(&seen, (size_t)64 * 1024);
	say(&st, buf_str(&stream));
	take(&st, &whole);
	assert_true(whole.len > stream.len);
	for (size_t cut = 1; cut < stream.len; cut++) {
		say(&st, str_sub(buf_str(&stream), 0, cut));
		say(&st, str_sub(buf_str(&stream), cut, SIZE_MAX));
		take(&st, &seen);
		assert_true(str_eq(buf_str(&seen), buf_str(&whole)));
	}
	for (size_t i = 0; i < stream.len; i++)
		say(&st, str_sub(buf_str(&stream), i, 1));
	take(&st, &seen);
	assert_true(str_eq(buf_str(&seen), buf_str(&whole)));
	buf_reset(&seen);
	buf_reset(&whole);
	end(&st, &stream);
}

/* Without a capability of ours, and nothing of the server's to take out. */
static void without_edits_nothing_changes(void **arg)
{
	struct stage st;
	struct buf stream;

	(void)arg;
	begin(&st, &stream, false);
	say(&st, buf_str(&stream));
	assert_true(str_eq(fake_written(st.client), buf_str(&stream)));
	end(&st, &stream);
}

/* The client's commands, too, but for the literals. */
static void commands_pass_as_they_are(void **arg)
{
	static const struct str commands[] = {
		TEXT("a sElEcT \"INBOX\"\r\n"),
		TEXT("b uid  search TEXT \"a\\\"b {3}\" \r\n"),
		TEXT("c X caf\xc3\xa9 {5} \r\n"),
		TEXT("d LIST \"\" (%) return ()\n"),
		TEXT(" e NOOP\r\n"),
		TEXT("\r\n"),
		TEXT("f\r\n"),
		TEXT("* NOOP\r\n"),
		TEXT("g XAPPLEPUSHSERVICE \"aps-version\" \"2\"\r\n"),
		TEXT("h SELECT abc{9}\r\n"),
		TEXT("i SELECT \"open\r\n"),
		TEXT("j LOGOUT\r\n"),
	};
	struct stage st;
	struct buf stream;
	struct buf sent;

	(void)arg;
	begin(&st, &stream, false);
	buf_init(&sent, 4096);
	add_all(&sent, commands, sizeof(commands) / sizeof(commands[0]));
	fake_written_clear(st.backend);
	fake_push(st.client, buf_str(&sent));
	fake_run(st.loop);
	assert_true(str_eq(fake_written(st.backend), buf_str(&sent)));
	buf_reset(&sent);
	end(&st, &stream);
}

/* is_boundary: |at| lies between two responses of |plain|. */
static bool is_boundary(size_t at)
{
	size_t sum = 0;

	for (size_t i = 0; sum < at; i++)
		sum += plain[i].len;
	return sum == at;
}

/* place_of finds the first octet in which |seen| is not |stream|. */
static size_t place_of(struct str seen, struct str stream)
{
	size_t i = 0;

	while (i < stream.len && seen.data[i] == stream.data[i])
		i++;
	return i;
}

/* One is due after each octet of the stream: it goes out before or behind the
 * response that the octet is in, and nothing is lost. */
static void our_lines_come_between_responses(void **arg)
{
	const struct str ours = STR("NN BAD TLS starts before login.\r\n");
	size_t plain_len = 0;
	struct stage st;
	struct buf stream;

	(void)arg;
	begin(&st, &stream, true);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		plain_len += plain[i].len;
	buf_cut(&stream, plain_len);
	for (size_t at = 0; at <= stream.len; at++) {
		struct str seen;
		size_t place;

		say(&st, str_sub(buf_str(&stream), 0, at));
		stage_c(&st, "NN STARTTLS\r\n");
		say(&st, str_sub(buf_str(&stream), at, SIZE_MAX));
		seen = fake_written(st.client);
		place = place_of(seen, buf_str(&stream));
		assert_true(is_boundary(place));
		assert_true(str_eq(str_sub(seen, place, ours.len), ours));
		assert_true(str_eq(str_sub(seen, place + ours.len, SIZE_MAX),
		                   str_sub(buf_str(&stream), place, SIZE_MAX)));
		fake_written_clear(st.client);
	}
	end(&st, &stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fall_anywhere),
		cmocka_unit_test(without_edits_nothing_changes),
		cmocka_unit_test(commands_pass_as_they_are),
		cmocka_unit_test(our_lines_come_between_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
