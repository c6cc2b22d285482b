/* SPDX-License-Identifier: ISC */
/* Messages arrive whole, and who sends no message is heard no more. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "process/channel.h"
#include "unit/unit.h"

enum { PIECE = 30000 };

/* One end, and what it was told. */
struct end {
	struct loop *loop;
	struct channel *channel;
	enum message_type type;
	uint32_t id;
	size_t count;   /* of names */
	char topic[16]; /* of an offer */
	size_t messages;
	int fd;
	int ended;
	bool is_ready;
	bool frees; /* on the first message */
};

static void on_message(void *arg, const struct message *m, int fd)
{
	struct end *e = arg;

	e->type = m->type;
	e->id = m->id;
	e->messages++;
	if (m->type == MESSAGE_LOOKUP)
		e->count = m->u.lookup.count;
	if (m->type == MESSAGE_OFFER) {
		struct str topic = m->u.offer.topic;

		assert_true(topic.len < sizeof(e->topic));
		memcpy(e->topic, topic.data, topic.len);
		e->topic[topic.len] = 0;
	}
	if (fd >= 0)
		e->fd = fd;
	if (e->frees)
		channel_free(&e->channel);
	if (m->type == MESSAGE_STOP)
		loop_stop(e->loop);
}

static void on_ready(void *arg)
{
	struct end *e = arg;

	e->is_ready = true;
	loop_stop(e->loop);
}

static void on_ended(void *arg, int rc)
{
	struct end *e = arg;

	e->ended = rc;
	loop_stop(e->loop);
}

static const struct channel_events events = { on_message, on_ready, on_ended };

struct pair {
	struct loop *loop;
	struct end a;
	struct end b;
	int raw; /* the end of |a|, where that has no channel */
};

static void open_pair(struct pair *p, bool is_raw)
{
	int fds[2];

	*p = (struct pair){ .loop = loop_new(), .raw = -1 };
	p->a = p->b = (struct end){ .loop = p->loop, .fd = -1 };
	assert_ok(channel_pair(fds, NULL));
	if (is_raw)
		p->raw = fds[0];
	else
		p->a.channel = channel_new(p->loop, fds[0], &events, &p->a);
	p->b.channel = channel_new(p->loop, fds[1], &events, &p->b);
}

static void close_pair(struct pair *p)
{
	channel_free(&p->a.channel);
	channel_free(&p->b.channel);
	if (p->raw >= 0)
		(void)close(p->raw);
	loop_free(&p->loop);
}

static void stop_after(struct pair *p)
{
	channel_post(p->a.channel, MESSAGE_STOP, 0);
	loop_run(p->loop);
}

static void on_turned(void *arg)
{
	loop_stop(arg);
}

/* turn lets the loop read what is there. */
static void turn(struct pair *p)
{
	struct loop_timer *t = loop_timer_new(p->loop, on_turned, p->loop);

	loop_timer_set(t, 1);
	loop_run(p->loop);
	loop_timer_free(&t);
}

static void word_arrives(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false);
	channel_post(p.a.channel, MESSAGE_CULPRIT, 5);
	channel_post(p.a.channel, MESSAGE_STOP, 6);
	loop_run(p.loop);
	assert_int_equal(p.b.messages, 2);
	assert_int_equal(p.b.id, 6);
	close_pair(&p);
}

/* send_many sends a lookup of |count| long names. */
static int send_many(struct pair *p, size_t count)
{
	struct message m = { .type = MESSAGE_LOOKUP };
	struct str *names = xcalloc(count, sizeof(*names));
	char name[IMAP_XAPS_MAILBOX_MAX];
	int rc;

	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < count; i++)
		names[i] = str_new(name, sizeof(name));
	m.u.lookup.login_name = STR("anna");
	m.u.lookup.names = names;
	m.u.lookup.count = count;
	rc = channel_send(p->a.channel, &m);
	free(names);
	return rc;
}

/* Far more than a datagram, and than the socket holds. */
static void long_message_arrives(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false);
	assert_ok(send_many(&p, IMAP_XAPS_MAILBOXES_MAX));
	/* The rest is still on its way. */
	assert_int_equal(send_many(&p, 1), ERR_MORE);
	loop_run(p.loop);
	assert_true(p.a.is_ready);
	stop_after(&p);
	assert_int_equal(p.b.messages, 2);
	assert_int_equal(p.b.count, IMAP_XAPS_MAILBOXES_MAX);
	close_pair(&p);
}

static void descriptor_arrives(void **state)
{
	const struct message m = { .type = MESSAGE_PEER, .id = 2 };
	struct pair p;
	int fds[2];
	char c;

	(void)state;
	open_pair(&p, false);
	assert_ok(pipe(fds));
	assert_ok(channel_tell(p.a.channel, &m, fds[1]));
	assert_ok(close(fds[1]));
	stop_after(&p);
	assert_true(p.b.fd >= 0);
	assert_int_equal(fcntl(p.b.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(p.b.fd, "x", 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_ok(close(p.b.fd));
	assert_ok(close(fds[0]));
	close_pair(&p);
}

/* Nothing at all, with a descriptor: that is not left open. */
static void nothing_with_a_descriptor_ends_it(void **state)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };

	struct msghdr msg = { .msg_control = control.space,
		              .msg_controllen = sizeof(control.space) };
	struct pair p;
	int fds[2];
	char c;

	(void)state;
	open_pair(&p, true);
	assert_ok(pipe(fds));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fds[1], sizeof(int));
	assert_ok(sendmsg(p.raw, &msg, 0));
	assert_ok(close(fds[1]));
	assert_ok(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	loop_run(p.loop);
	assert_int_equal(p.b.ended, ERR_CLOSED);
	assert_int_equal(read(fds[0], &c, 1), 0); /* nobody has the other end */
	assert_ok(close(fds[0]));
	close_pair(&p);
}

/* A slow reader makes the sender wait, and nothing is lost. */
static void full_channel_says_when_there_is_room(void **state)
{
	const struct message m = { .type = MESSAGE_CULPRIT };
	struct pair p;
	size_t sent = 0;

	(void)state;
	open_pair(&p, false);
	channel_pause(p.b.channel);
	while (channel_send(p.a.channel, &m) == ERR_OK)
		sent++;
	assert_true(sent >= 128); /* what service_remote may have open */
	channel_resume(p.b.channel);
	loop_run(p.loop);
	assert_true(p.a.is_ready);
	stop_after(&p);
	assert_int_equal(p.b.messages, sent + 1);
	close_pair(&p);
}

/* What is told waits for its turn, each with its descriptor. */
static void told_is_never_refused(void **state)
{
	const struct message word = { .type = MESSAGE_CULPRIT };
	struct message told = { .type = MESSAGE_OFFER };
	struct pair p;
	size_t sent = 0;
	int fds[2];
	char c;

	(void)state;
	open_pair(&p, false);
	channel_pause(p.b.channel);
	while (channel_send(p.a.channel, &word) == ERR_OK)
		sent++;
	assert_ok(pipe(fds));
	told.u.offer.topic = STR("old");
	assert_ok(channel_tell(p.a.channel, &told, -1));
	told.u.offer.topic = STR("new");
	assert_ok(channel_tell(p.a.channel, &told, fds[1]));
	assert_int_equal(channel_send(p.a.channel, &word), ERR_MORE);
	assert_ok(close(fds[1]));
	channel_resume(p.b.channel);
	stop_after(&p); /* or |a| is ready */
	turn(&p);
	assert_int_equal(p.b.messages, sent + 3);
	assert_str(str_of(p.b.topic), "new");
	assert_true(p.b.fd >= 0);
	assert_ok(close(p.b.fd));
	assert_ok(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	assert_int_equal(read(fds[0], &c, 1), 0); /* nobody has another */
	assert_ok(close(fds[0]));
	close_pair(&p);
}

/* Who takes nothing is not kept company for ever. */
static void who_takes_nothing_is_left(void **state)
{
	struct message m = { .type = MESSAGE_TICKETS };
	char secret[1024] = "";
	struct pair p;
	size_t told = 0;

	(void)state;
	open_pair(&p, false);
	channel_pause(p.b.channel);
	m.u.secret = str_new(secret, sizeof(secret));
	for (; p.a.ended == 0 && told < 16 * 1024; told++) {
		assert_ok(channel_tell(p.a.channel, &m, -1));
		if (told % 256 == 0)
			turn(&p);
	}
	assert_int_equal(p.a.ended, ERR_LIMIT);
	assert_true(told > 1024);
	close_pair(&p);
}

static void end_is_told(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false);
	channel_post(p.a.channel, MESSAGE_READY, 0);
	channel_free(&p.a.channel);
	loop_run(p.loop);
	assert_int_equal(p.b.messages, 1); /* what came before counts */
	assert_int_equal(p.b.ended, ERR_CLOSED);
	/* Nobody is bothered with what cannot be sent. */
	assert_ok(channel_send(p.b.channel,
	                       &(struct message){ .type = MESSAGE_READY }));
	close_pair(&p);
}

/* Who ends without having read all was heard nevertheless. */
static void last_words_are_heard(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false);
	channel_post(p.b.channel, MESSAGE_CULPRIT, 1);
	channel_post(p.a.channel, MESSAGE_CULPRIT, 7);
	channel_post(p.a.channel, MESSAGE_CULPRIT, 8);
	channel_free(&p.a.channel);
	loop_run(p.loop);
	assert_int_equal(p.b.messages, 2);
	assert_int_equal(p.b.id, 8);
	assert_int_equal(p.b.ended, ERR_CLOSED);
	close_pair(&p);
}

static void nonsense_ends_it(void **state)
{
	static const struct str datagrams[] = {
		{ "\2", 1 },
		{ "\1", 1 },
		{ "\1\1\1\0\0\0", 6 },    /* too short */
		{ "\1\1\1\0\0\0\0!", 8 }, /* too long */
		{ "\1\2\1\0\0\0\0", 7 },  /* another version */
		{ "\1\1\77\0\0\0\0", 7 }, /* no such type */
		{ "\5\1\1\0\0\0\0", 7 },
	};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		open_pair(&p, true);
		assert_int_equal(
			write(p.raw, datagrams[i].data, datagrams[i].len),
			datagrams[i].len);
		loop_run(p.loop);
		assert_int_equal(p.b.ended, ERR_PARSE);
		assert_int_equal(p.b.messages, 0);
		close_pair(&p);
	}
}

/* Neither one datagram nor any number of them may be as long as they like. */
static void too_much_ends_it(void **state)
{
	size_t len = 64 * 1024;
	char *big = xcalloc(1, len);
	struct pair p;

	(void)state;
	open_pair(&p, true);
	big[0] = 1;
	assert_int_equal(write(p.raw, big, len), len);
	loop_run(p.loop);
	assert_int_equal(p.b.ended, ERR_LIMIT);
	close_pair(&p);

	open_pair(&p, true);
	big[0] = 0;
	for (size_t sent = 0; p.b.ended == 0 && sent <= 2 * MESSAGE_MAX;) {
		if (write(p.raw, big, PIECE) == PIECE)
			sent += PIECE;
		else
			turn(&p);
	}
	for (int i = 0; i < 1000 && p.b.ended == 0; i++)
		turn(&p);
	assert_int_equal(p.b.ended, ERR_LIMIT);
	close_pair(&p);
	free(big);
}

static void may_be_freed_by_a_message(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false);
	p.b.frees = true;
	assert_ok(send_many(&p, 100));
	loop_run(p.loop); /* until |a| hears of it */
	assert_int_equal(p.b.messages, 1);
	assert_int_equal(p.a.ended, ERR_CLOSED);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(word_arrives),
		cmocka_unit_test(long_message_arrives),
		cmocka_unit_test(descriptor_arrives),
		cmocka_unit_test(nothing_with_a_descriptor_ends_it),
		cmocka_unit_test(full_channel_says_when_there_is_room),
		cmocka_unit_test(told_is_never_refused),
		cmocka_unit_test(who_takes_nothing_is_left),
		cmocka_unit_test(end_is_told),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(nonsense_ends_it),
		cmocka_unit_test(too_much_ends_it),
		cmocka_unit_test(may_be_freed_by_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
