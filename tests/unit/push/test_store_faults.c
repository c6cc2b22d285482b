/* SPDX-License-Identifier: ISC */
/*
 * One story - phones register, mail comes, pushes are answered, two lives of
 * the process - over an SQLite file that fails, or stops the process, at its
 * Nth write; for every N that there is. Then another process begins on what is
 * left, its watcher compares the mailboxes, and nothing may be missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "push/faultvfs.h"
#include "push/seal.h"
#include "push/testpush.h"
#include "store/teststore.h"
#include "unit/unit.h"

enum { USERS = 2, PHONES = 4, SENDS_MAX = 100 };

enum user_name { ANNA, BERT };

static const struct {
	const char *token;
	enum user_name user;
	const char *mailboxes;
} phones[PHONES] = {
	{ "t1", ANNA, "INBOX Work" },
	{ "t2", ANNA, "INBOX" },
	{ "t3", BERT, "INBOX" },
	{ "t4", BERT, "INBOX" }, /* APNs will say that it is gone */
};

static const char *const users[USERS] = { "anna", "bert" };

/* What a life tells of itself, by a pipe that outlives it. */
struct fact {
	enum {
		FACT_ON_DISK, /* phone |who| was told OK, it is on disk */
		FACT_KEPT,    /* OK, but that it is only in memory */
		FACT_EVENT,   /* user |who| has event |serial| */
		FACT_PUSHED,  /* phone |who| got a push after |serial| */
		FACT_GONE,    /* APNs knows phone |who| no more */
		FACT_END      /* the story was told to its end */
	} what;

	int who;
	int serial;
};

/* Where the key is; a key in memory does not survive a fork. */
struct fixture {
	struct testdir dir;
	char key[100];
};

struct story {
	struct testpush p;
	struct seal *seal;
	struct service *service;
	int pipe;
	enum fault fault;
	unsigned long at;
	bool struck;
	int serials[USERS]; /* of the last event */
	size_t noticed;     /* pushes sent, of p.apns.sent */
	int covers[SENDS_MAX];
	int tries_of_t1;
	int phone; /* that registers */
};

static void tell(struct story *s, int what, int who, int serial)
{
	struct fact fact;

	memset(&fact, 0, sizeof(fact));
	fact.what = what;
	fact.who = who;
	fact.serial = serial;
	if (write(s->pipe, &fact, sizeof(fact)) != (ssize_t)sizeof(fact))
		abort();
}

/* state_of is the INBOX of a user after |serial| events: new mail, and at
 * every fourth a message that goes. */
static struct store_state state_of(int user, int serial)
{
	return (struct store_state){
		.user = str_of(users[user]),
		.mailbox = STR("INBOX"),
		.uidvalidity = 7,
		.uidnext = (uint32_t)(10 + serial - serial / 4),
		.messages = 10 + serial - 2 * (serial / 4),
		.unseen = STORE_UNKNOWN,
	};
}

/* Pushes. */

/* phone_of finds the phone with registration |id|, or -1. */
static int phone_of(const struct story *s, uint64_t id)
{
	const struct store_registration *r =
		ledger_registration(s->p.ledger, id);

	for (int i = 0; r != NULL && i < PHONES; i++) {
		if (str_eq(r->device_token, str_of(phones[i].token)))
			return i;
	}
	return -1;
}

/* notice notes which events the pushes cover that were sent since. */
static void notice(struct story *s)
{
	for (; s->noticed < s->p.apns.sent_count; s->noticed++) {
		int phone = phone_of(s, s->p.apns.sent[s->noticed].id);

		assert_true(s->noticed < SENDS_MAX && phone >= 0);
		s->covers[s->noticed] = s->serials[phones[phone].user];
	}
}

/* answer_one answers the push |i| as APNs would. */
static void answer_one(struct story *s, size_t i)
{
	uint64_t id = s->p.apns.sent[i].id;
	struct push_result result = { .verdict = PUSH_DELIVERED,
		                      .status = 200,
		                      .reason = "" };
	int phone = phone_of(s, id);

	if (phone == 0 && ++s->tries_of_t1 == 2) {
		result.verdict = PUSH_LATER;
		result.status = 503;
		result.delay_ms = 30000;
	} else if (phone == 3) {
		result.verdict = PUSH_UNREGISTER;
		result.status = 410;
		result.gone_ms = loop_wall_ms(s->p.loop);
		tell(s, FACT_GONE, phone, 0);
	} else if (phone >= 0) {
		tell(s, FACT_PUSHED, phone, s->covers[i]);
	}
	testpush_answer(&s->p, id, &result);
}

/* turn lets everything happen that is due. */
static void turn(struct story *s)
{
	fake_run(s->p.loop);
	notice(s);
}

static void answer_all(struct story *s)
{
	turn(s);
	for (size_t i = 0; i < s->p.apns.sent_count; i++) {
		if (s->p.apns.sent[i].done != NULL)
			answer_one(s, i);
		turn(s);
	}
}

/* pass lets |seconds| pass, and APNs answer meanwhile. */
static void pass(struct story *s, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		fake_clock_advance(s->p.loop, 1000);
		answer_all(s);
	}
}

/* Steps. */

static void on_registered(void *arg, int rc)
{
	struct story *s = arg;

	assert_true(rc == ERR_OK || rc == ERR_IO);
	tell(s, rc == ERR_OK ? FACT_ON_DISK : FACT_KEPT, s->phone,
	     s->serials[phones[s->phone].user]);
}

/* register_phone is XAPPLEPUSHSERVICE; the phone waits for its OK. */
static void register_phone(struct story *s, int phone)
{
	const char *user = users[phones[phone].user];
	const struct store_state now =
		state_of(phones[phone].user, s->serials[phones[phone].user]);
	const struct service_mailbox boxes[] = {
		{ STR("INBOX"), true, true, now.uidvalidity, now.uidnext,
		  (uint32_t)now.messages, 0 },
		{ STR("Work"), true, false, 0, 0, 0, 0 },
	};
	const struct imap_xaps command = {
		.version = 2,
		.account_id = STR("acc"),
		.device_token = str_of(phones[phone].token),
		.subtopic = STR("com.apple.mobilemail"),
	};
	struct imap_login login = {
		.method = IMAP_LOGIN_PLAIN,
		.user = str_of(user),
		.authzid = STR(""),
		.password = secret_new(STR("password")),
	};
	const struct service_registration registration = {
		.login_name = str_of(user),
		.login = &login,
		.command = &command,
		.topic = STR("topic"),
		.mailboxes = boxes,
		.mailbox_count = phone == 0 ? 2 : 1,
	};

	s->phone = phone;
	service_register(s->service, &registration, on_registered, s);
	secret_free(&login.password);
	turn(s);
}

/* event is what a watcher sees. */
static void event(struct story *s, int user)
{
	int serial = s->serials[user] + 1;
	const struct store_state now = state_of(user, serial);

	tell(s, FACT_EVENT, user, serial);
	s->serials[user] = serial;
	notifier_event(s->p.notifier,
	               serial % 4 == 0 ? NOTIFIER_CHANGE : NOTIFIER_NEW, &now);
	turn(s);
}

/* Lives. */

static void story_init(struct story *s, const struct testdir *dir,
                       const char *key)
{
	testpush_init(&s->p);
	s->p.path = dir->db;
	assert_ok(seal_load(NULL, key, true, &s->seal, NULL));
}

static void story_done(struct story *s)
{
	testpush_done(&s->p);
	seal_free(&s->seal);
}

static void begin(struct story *s)
{
	static const struct service_local_opts opts = {
		.audience = { .enabled = true, .topic = "topic" }
	};

	testpush_start(&s->p);
	s->service = service_local_new(s->p.loop, s->p.ledger, s->p.registry,
	                               s->seal, &opts);
	pass(s, 1); /* for a load that failed */
}

/* mend lets a disk that went full have room again. */
static void mend(struct story *s)
{
	if (s->fault != FAULT_FULL_FROM || faultvfs_count() < s->at)
		return;
	s->struck = true;
	s->fault = FAULT_NONE;
	faultvfs_set(FAULT_NONE, 0);
	pass(s, 20); /* the longest back-off */
}

static void end(struct story *s)
{
	pass(s, 1); /* for a commit that failed */
	mend(s);
	service_free(&s->service);
	testpush_stop(&s->p);
	s->noticed = 0;
}

static void first_life(struct story *s)
{
	begin(s);
	register_phone(s, 0);
	event(s, ANNA); /* and its push is in flight, */
	event(s, ANNA); /* when the next one comes */
	answer_all(s);
	pass(s, 3); /* "not now" */
	register_phone(s, 1);
	register_phone(s, 2);
	register_phone(s, 3);
	event(s, BERT);
	event(s, ANNA);
	answer_all(s);
	event(s, ANNA); /* a change */
	registry_login_rejected(s->p.registry, STR("bert"));
	registry_refuse(s->p.registry, STR("anna"), STR("Work"));
	pass(s, 2);
	event(s, BERT);
	end(s);
}

static void second_life(struct story *s)
{
	begin(s);
	event(s, ANNA);
	pass(s, 60);
	event(s, BERT);
	end(s);
}

/* Afterwards. */

/* What the facts come to. */
struct outcome {
	bool promised[PHONES]; /* registered, and not gone since */
	int since[PHONES];     /* events before that */
	int pushed[PHONES];
	int serials[USERS];
	bool ended;
};

static void promise(struct outcome *o, const struct fact *fact)
{
	o->promised[fact->who] = true;
	o->since[fact->who] = fact->serial;
}

/* read_facts sums up what came by |fd|. |in_memory|: the process was not
 * stopped, so that what is kept in memory was promised too. */
static void read_facts(int fd, bool in_memory, struct outcome *o)
{
	struct fact fact;

	*o = (struct outcome){ 0 };
	while (read(fd, &fact, sizeof(fact)) == (ssize_t)sizeof(fact)) {
		switch (fact.what) {
		case FACT_KEPT:
			if (in_memory)
				promise(o, &fact);
			break;
		case FACT_ON_DISK:
			promise(o, &fact);
			break;
		case FACT_EVENT:
			o->serials[fact.who] = fact.serial;
			break;
		case FACT_PUSHED:
			o->pushed[fact.who] = fact.serial;
			break;
		case FACT_GONE:
			o->promised[fact.who] = false;
			break;
		case FACT_END:
			o->ended = true;
			break;
		}
	}
}

/* resync is what the watcher of |user| does when it has connected. */
static void resync(struct story *s, int user, int serial)
{
	const struct store_state now = state_of(user, serial);
	struct store_state stored;

	if (registry_state(s->p.registry, now.user, STR("INBOX"), &stored) !=
	            ERR_OK ||
	    (stored.uidnext == now.uidnext && stored.messages == now.messages))
		return;
	notifier_event(s->p.notifier, NOTIFIER_NEW, &now);
}

/* want_phone wants a promised registration to be as it was made. */
static void want_phone(struct story *s, int phone)
{
	const struct store_registration key = {
		.user = str_of(users[phones[phone].user]),
		.account_id = STR("acc"),
		.device_token = str_of(phones[phone].token),
		.subtopic = STR("com.apple.mobilemail"),
	};
	const struct store_registration *r =
		ledger_registration_of(s->p.ledger, &key);
	struct imap_login login;
	struct store_login row;
	struct store_state state;

	assert_non_null(r);
	assert_true(r->mailbox_count > 0);
	assert_str(r->mailboxes[0].name, "INBOX");
	assert_true(r->mailboxes[0].proved);
	assert_ok(
		registry_state(s->p.registry, key.user, STR("INBOX"), &state));
	assert_ok(registry_login(s->p.registry, key.user, &row));
	assert_ok(seal_open(s->seal, key.user, row.blob, &login));
	assert_str(secret_str(login.password), "password");
	imap_login_done(&login);
}

/* nothing_is_lost begins on the file and wants what was promised. */
static void nothing_is_lost(const struct testdir *dir, const char *key,
                            const struct outcome *o)
{
	struct story s = { 0 };
	struct outcome after;
	int ends[2];

	assert_int_equal(testdir_count(dir, "damaged"), 0);
	assert_ok(pipe(ends));
	s.pipe = ends[1];
	story_init(&s, dir, key);
	memcpy(s.serials, o->serials, sizeof(s.serials));
	testpush_start(&s.p);
	assert_int_equal(s.p.loaded, 1);
	assert_ok(s.p.loaded_rc);
	for (int i = 0; i < PHONES; i++) {
		if (o->promised[i])
			want_phone(&s, i);
	}
	for (int i = 0; i < USERS; i++)
		resync(&s, i, o->serials[i]);
	s.tries_of_t1 = 2; /* no more "not now" */
	pass(&s, 600);     /* the wall clock begins anew, too */
	story_done(&s);
	close(ends[1]);
	read_facts(ends[0], false, &after);
	close(ends[0]);
	for (int i = 0; i < PHONES; i++) {
		int last = o->serials[phones[i].user];

		if (o->promised[i] && o->since[i] < last &&
		    o->pushed[i] < last && i != 3)
			assert_int_equal(after.pushed[i], last);
	}
}

/* tell_story tells it to its end. */
static void tell_story(struct story *s, const struct testdir *dir,
                       const char *key)
{
	story_init(s, dir, key);
	faultvfs_set(s->fault, s->at);
	first_life(s);
	second_life(s);
	s->struck = s->struck || faultvfs_count() >= s->at;
	faultvfs_set(FAULT_NONE, 0);
	tell(s, FACT_END, 0, 0);
	story_done(s);
}

/* tell_in_child does so in a process that may be stopped. Returns whether it
 * was. */
static bool tell_in_child(struct story *s, const struct testdir *dir,
                          const char *key)
{
	pid_t pid;
	int status = 0;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		tell_story(s, dir, key);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		assert_int_equal(WEXITSTATUS(status), FAULT_STATUS);
	return WEXITSTATUS(status) != 0;
}

/* run is one story with |fault| at the |at|th write. Returns whether there was
 * such a write. */
static bool run(const char *key, enum fault fault, unsigned long at)
{
	struct story s = { .fault = fault, .at = at };
	bool stops = fault >= FAULT_STOP;
	struct outcome outcome;
	struct testdir dir;
	bool struck;
	int ends[2];

	testdir_init(&dir);
	assert_ok(pipe(ends));
	s.pipe = ends[1];
	if (stops) {
		struck = tell_in_child(&s, &dir, key);
	} else {
		tell_story(&s, &dir, key);
		struck = s.struck;
	}
	close(ends[1]);
	read_facts(ends[0], !stops, &outcome);
	close(ends[0]);
	assert_int_equal(outcome.ended, !stops || !struck);
	nothing_is_lost(&dir, key, &outcome);
	testdir_done(&dir);
	return struck;
}

/* walk runs the story for every write that it has. */
static void walk(void **state, enum fault fault)
{
	const struct fixture *f = *state;
	unsigned long at = 1;

	while (run(f->key, fault, at))
		at++;
	print_message("%lu writes\n", at - 1);
	assert_true(at > 100); /* it was SQLite's way indeed */
}

static void one_failed_write_loses_nothing(void **state)
{
	walk(state, FAULT_ERROR);
}

static void one_write_to_a_full_disk_loses_nothing(void **state)
{
	walk(state, FAULT_FULL);
}

static void disk_that_is_full_for_a_while_loses_nothing(void **state)
{
	walk(state, FAULT_FULL_FROM);
}

static void process_stopped_before_a_write_loses_nothing(void **state)
{
	walk(state, FAULT_STOP);
}

static void process_stopped_in_a_write_loses_nothing(void **state)
{
	walk(state, FAULT_TORN);
}

static void power_lost_before_a_write_loses_nothing(void **state)
{
	walk(state, FAULT_POWER);
}

static void writes_lost_out_of_order_lose_nothing(void **state)
{
	walk(state, FAULT_MIXED);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	faultvfs_install();
	testdir_init(&f->dir);
	(void)snprintf(f->key, sizeof(f->key), "%s/seal.key", f->dir.path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	testdir_done(&f->dir);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_failed_write_loses_nothing),
		cmocka_unit_test(one_write_to_a_full_disk_loses_nothing),
		cmocka_unit_test(disk_that_is_full_for_a_while_loses_nothing),
		cmocka_unit_test(process_stopped_before_a_write_loses_nothing),
		cmocka_unit_test(process_stopped_in_a_write_loses_nothing),
		cmocka_unit_test(power_lost_before_a_write_loses_nothing),
		cmocka_unit_test(writes_lost_out_of_order_lose_nothing),
	};

	return cmocka_run_group_tests_name("store_faults", tests, set_up,
	                                   tear_down);
}
