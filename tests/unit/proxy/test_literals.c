/* SPDX-License-Identifier: ISC */
/*
 * Literals towards a server that takes them, one that refuses them and one
 * that thinks long, at every cut: no octets that were announced as part of a
 * command may run as the next one (facts of imap-proxy section 3.1).
 */
#include <stdio.h>
#include <string.h>

#include "stage/model.h"
#include "stage/stage.h"
#include "unit/unit.h"

struct vector {
	const char *name;
	const char *bytes; /* "z NOOP" follows */
	const char *takes; /* what a server that takes literals runs; NULL:
	                      the session ends instead */
};

#define Z "z NOOP\r\n"

static const struct vector vectors[] = {
	{ "V01", "a1 XFOO x {9+}\r\nb1 LOGOUT\r\n",
	  "a1 XFOO x {9}\r\nb1 LOGOUT\r\n" Z },
	{ "V02", "a1 NOOP {9+}\r\nb1 LOGOUT\r\n",
	  "a1 NOOP {9}\r\nb1 LOGOUT\r\n" Z },
	{ "V03", "a1 SELECT \"foo{9+}\r\nb1 LOGOUT\r\n", NULL },
	{ "V04", "a1 LIST \"\" \"x{9+}\"\r\n", "a1 LIST \"\" \"x{9+}\"\r\n" Z },
	{ "V05", "a1 SELECT abc{9+}\r\nb1 LOGOUT\r\n", NULL },
	{ "V06", "{9+}\r\nb1 LOGOUT\r\n", NULL },
	{ "V07", "a1 SELECT {99999999999999999999}\r\n", NULL },
	{ "V07b", "a1 SELECT {18446744073709551621}\r\nINBOX\r\n", NULL },
	{ "V08a", "a1 SELECT {009+}\r\nb1 LOGOUT\r\n",
	  "a1 SELECT {9}\r\nb1 LOGOUT\r\n" Z },
	{ "V08e", "a1 SELECT {}\r\nb1 LOGOUT\r\n", NULL },
	{ "V08f", "a1 SELECT {+}\r\nb1 LOGOUT\r\n", NULL },
	{ "V09a", "a1 SELECT {9+}\nb1 LOGOUT\r\n",
	  "a1 SELECT {9}\r\nb1 LOGOUT\r\n" Z },
	{ "V10", "a1 SELECT ~{9+}\r\nb1 LOGOUT\r\n",
	  "a1 SELECT ~{9}\r\nb1 LOGOUT\r\n" Z },
	{ "V23a", "a1 APPEND nobox {9+}\r\nb1 LOGOUT\r\n",
	  "a1 APPEND nobox {9}\r\nb1 LOGOUT\r\n" Z },
	{ "V23b", "a1 APPEND INBOX (\\Bad Flag\" {9+}\r\nb1 LOGOUT\r\n", NULL },
	{ "two", "a1 RENAME {9+}\r\nb1 LOGOUT {9+}\r\nb1 LOGOUT\r\n",
	  "a1 RENAME {9}\r\nb1 LOGOUT {9}\r\nb1 LOGOUT\r\n" Z },
	{ "empty", "a1 RENAME {0+}\r\n {9+}\r\nb1 LOGOUT\r\n",
	  "a1 RENAME {0}\r\n {9}\r\nb1 LOGOUT\r\n" Z },
	{ "lines", "a1 APPEND x {13+}\r\n\r\nb1 LOGOUT\r\n\r\n",
	  "a1 APPEND x {13}\r\n\r\nb1 LOGOUT\r\n\r\n" Z },
	{ "catenate",
	  "a1 APPEND x CATENATE (URL \"/u\" TEXT {9+}\r\nb1 LOGOUT)\r\n",
	  "a1 APPEND x CATENATE (URL \"/u\" TEXT {9}\r\nb1 LOGOUT)\r\n" Z },
	{ "binary", "a1 APPEND x UTF8 (~{9+}\r\nb1 LOGOUT)\r\n",
	  "a1 APPEND x UTF8 (~{9}\r\nb1 LOGOUT)\r\n" Z },
	{ "no tag", "+1 APPEND x {9+}\r\nb1 LOGOUT\r\n",
	  "+1 APPEND x \"\"\r\n" Z },
	{ "twice", "a1 NOOP\r\na1 XFOO {9+}\r\nb1 LOGOUT\r\na1 NOOP\r\n",
	  "a1 NOOP\r\na1 XFOO {9}\r\nb1 LOGOUT\r\na1 NOOP\r\n" Z },
	{ "idle", "a1 IDLE\r\nDONE\r\na1 XFOO {9+}\r\nb1 LOGOUT\r\n",
	  "a1 IDLE\r\na1 XFOO {9}\r\nb1 LOGOUT\r\n" Z },
	{ "idle literal", "a1 IDLE {9+}\r\nb1 LOGOUT\r\n", Z },
	{ "refused here", "a1 COMPRESS {9+}\r\nb1 LOGOUT\r\n", Z },
	{ "answered here", "a1 XAPPLEPUSHSERVICE {9+}\r\nb1 LOGOUT\r\n", Z },
};

enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

struct run {
	bool refuses;
	bool waits;   /* 50 ms before each answer */
	size_t first; /* length of the first chunk */
	size_t each;  /* and of the others; 0: all in one */
};

/* What both sides saw. */
struct transcript {
	struct buf client;
	struct buf ran;
};

static void transcript_reset(struct transcript *t)
{
	buf_reset(&t->client);
	buf_reset(&t->ran);
}

/* settle lets the model answer until nobody has anything to say. */
static void settle(struct stage *st, struct model *m, bool waits)
{
	do {
		fake_run(st->loop);
		if (waits)
			fake_clock_advance(st->loop, 50);
	} while (model_answer(m));
	fake_run(st->loop);
}

static void play(const struct vector *v, const struct run *run,
                 struct transcript *t)
{
	struct stage st;
	struct model m;
	char bytes[256];
	struct str rest;

	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	model_init(&m, st.backend);
	m.refuses = run->refuses;
	(void)snprintf(bytes, sizeof(bytes), "%s" Z, v->bytes);
	rest = str_of(bytes);
	fake_push(st.client, str_take(&rest, run->first));
	if (run->each > 0)
		fake_push_split(st.client, rest, run->each);
	else if (rest.len > 0)
		fake_push(st.client, rest);
	settle(&st, &m, run->waits);
	buf_init(&t->client, 65536);
	buf_init(&t->ran, 65536);
	assert_ok(buf_add(&t->client, fake_written(st.client)));
	assert_ok(buf_add(&t->ran, buf_str(&m.ran)));
	model_done(&m);
	stage_done(&st);
}

/* runs_a_command: a line of what the server ran is the announced octets. */
static bool ran_octets(struct str ran)
{
	return str_starts(ran, STR("b1 LOGOUT"));
}

static void want(bool fact, const struct vector *v, const char *rule,
                 const struct transcript *t)
{
	if (!fact)
		fail_msg("%s: %s; ran \"%.*s\", client \"%.*s\"", v->name, rule,
		         (int)t->ran.len, t->ran.data ? t->ran.data : "",
		         (int)t->client.len,
		         t->client.data ? t->client.data : "");
}

static void same(const struct vector *v, const struct transcript *a,
                 const struct transcript *b)
{
	want(str_eq(buf_str(&a->client), buf_str(&b->client)), v,
	     "the client saw another", b);
	want(str_eq(buf_str(&a->ran), buf_str(&b->ran)), v,
	     "the server ran another", b);
}

/* P1: every cut, and byte by byte, with and without a slow server. */
static void every_cut(const struct vector *v, bool refuses,
                      const struct transcript *whole)
{
	size_t len = strlen(v->bytes) + strlen(Z);
	struct transcript t;

	for (size_t first = 0; first < len; first++) {
		play(v, &(struct run){ refuses, false, first, 0 }, &t);
		same(v, whole, &t);
		transcript_reset(&t);
	}
	play(v, &(struct run){ refuses, false, 1, 1 }, &t);
	same(v, whole, &t);
	transcript_reset(&t);
	play(v, &(struct run){ refuses, true, 1, 1 }, &t);
	same(v, whole, &t);
	transcript_reset(&t);
	play(v, &(struct run){ refuses, true, len, 0 }, &t);
	same(v, whole, &t);
	transcript_reset(&t);
}

static void taken_literals_arrive(void **arg)
{
	struct transcript t;

	(void)arg;
	for (const struct vector *v = vectors; v < vectors + VECTORS; v++) {
		play(v, &(struct run){ false, false, SIZE_MAX, 0 }, &t);
		want(str_eq(buf_str(&t.ran),
		            str_of(v->takes != NULL ? v->takes : "")),
		     v, "the server ran this", &t);
		want((v->takes == NULL) ==
		             str_starts(buf_str(&t.client), STR("* BYE ")),
		     v, "the session goes on or ends", &t);
		every_cut(v, false, &t);
		transcript_reset(&t);
	}
}

static void refused_octets_never_run(void **arg)
{
	struct transcript t;

	(void)arg;
	for (const struct vector *v = vectors; v < vectors + VECTORS; v++) {
		struct str ran;

		play(v, &(struct run){ true, false, SIZE_MAX, 0 }, &t);
		ran = buf_str(&t.ran);
		while (ran.len > 0) {
			size_t end = str_find(ran, '\n');

			want(!ran_octets(ran), v, "announced octets ran", &t);
			(void)str_take(&ran, end + 1);
		}
		want(v->takes == NULL ||
		             str_ends(buf_str(&t.client), STR("z OK done\r\n")),
		     v, "the next command is answered", &t);
		every_cut(v, true, &t);
		transcript_reset(&t);
	}
}

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_login(st);
}

static void synchronising_literal_is_the_backends_to_grant(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a APPEND x {3}\r\n");
	stage_sees_b(&st, "a APPEND x {3}\r\n");
	stage_sees_c(&st, "");
	stage_b(&st, "* 1 EXISTS\r\n+ go on\r\n");
	stage_sees_c(&st, "* 1 EXISTS\r\n+ go on\r\n");
	stage_c(&st, "abc\r\n");
	stage_sees_b(&st, "abc\r\n");
	stage_b(&st, "a OK\r\n");
	/* Refused: what comes next is a command. */
	stage_c(&st, "b APPEND x {3}\r\nc NOOP\r\n");
	stage_sees_b(&st, "b APPEND x {3}\r\n");
	stage_b(&st, "b NO [TRYCREATE] no\r\n");
	stage_sees_b(&st, "c NOOP\r\n");
	stage_sees_c(&st, "a OK\r\nb NO [TRYCREATE] no\r\n");
	stage_done(&st);
}

/* The reply to an earlier command with the same tag is no refusal. */
static void equal_tag_is_drained_first(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\na APPEND x {3+}\r\nabc\r\n");
	stage_sees_b(&st, "a NOOP\r\n");
	stage_b(&st, "a OK\r\n");
	stage_sees_b(&st, "a APPEND x {3}\r\n");
	stage_b(&st, "+ go\r\n");
	stage_sees_b(&st, "abc\r\n");
	stage_b(&st, "a OK\r\n");
	stage_sees_c(&st, "a OK\r\na OK\r\n");
	stage_done(&st);
}

static void earlier_replies_do_not_decide(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\nb APPEND x {3+}\r\nabc\r\n");
	stage_b(&st, "a BAD\r\n* BAD stray\r\n");
	stage_sees_b(&st, "a NOOP\r\nb APPEND x {3}\r\n");
	stage_b(&st, "+\r\n");
	stage_sees_b(&st, "abc\r\n");
	stage_sees_c(&st, "a BAD\r\n* BAD stray\r\n");
	stage_done(&st);
}

/* Dovecot says NO to an APPEND of several messages after the first one and
 * takes a further announcement for the end of the command. */
static void answered_before_its_end(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a APPEND x {3+}\r\nab");
	stage_b(&st, "+ go\r\n");
	stage_sees_b(&st, "a APPEND x {3}\r\nab");
	stage_b(&st, "a NO quota\r\n");
	stage_c(&st, "c (\\Seen) {9+}\r\nb1 LOGOUT {9+}\r\nb1 LOGOUT\r\n"
	             "z NOOP\r\n");
	stage_sees_b(&st, "c (\\Seen) \"\"\r\nz NOOP\r\n");
	stage_b(&st, "z OK\r\n");
	stage_c(&st, "a APPEND x {3}\r\n");
	stage_b(&st, "+ go\r\n");
	stage_c(&st, "ab");
	stage_b(&st, "a NO quota\r\n");
	fake_written_clear(st.backend);
	stage_c(&st, "c (\\Seen) {9}\r\nz NOOP\r\n");
	stage_sees_b(&st, "c (\\Seen) \"\"\r\nz NOOP\r\n");
	stage_done(&st);
}

/* What an APPEND carries is no command, whatever it looks like. */
static void messages_are_not_looked_into(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a APPEND x {48+}\r\n");
	stage_b(&st, "+ go\r\n");
	fake_written_clear(st.backend);
	stage_c(&st, "x XAPPLEPUSHSERVICE \"aps-version\" \"2\"\r\n"
	             "DONE\r\n\"{3+}\r\n");
	stage_sees_b(&st, "x XAPPLEPUSHSERVICE \"aps-version\" \"2\"\r\n"
	                  "DONE\r\n\"{3+}\r\n");
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_literals_arrive),
		cmocka_unit_test(refused_octets_never_run),
		cmocka_unit_test(
			synchronising_literal_is_the_backends_to_grant),
		cmocka_unit_test(equal_tag_is_drained_first),
		cmocka_unit_test(earlier_replies_do_not_decide),
		cmocka_unit_test(answered_before_its_end),
		cmocka_unit_test(messages_are_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
