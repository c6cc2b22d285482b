/* SPDX-License-Identifier: ISC */
/*
 * A worker's service, the channel, and the push side with a store in memory:
 * what is asked is answered as in one process, and a push process that dies
 * takes nothing with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "process/channel.h"
#include "process/service_remote.h"
#include "process/service_server.h"
#include "push/ledger.h"
#include "push/seal.h"
#include "push/service_local.h"
#include "store/memory.h"
#include "store/teststore.h"
#include "unit/unit.h"

#define TOPIC "com.apple.mail.XServer.test"
#define TOKEN "00112233445566778899aabbccddeeff"

static const struct str key = { "0123456789abcdef0123456789abcdef", 32 };

struct world {
	struct testdir dir;
	struct loop *loop;
	struct ledger *ledger;
	struct registry *registry;
	struct seal *seal;
	struct service *local;
	struct service_server *server;
	struct service *remote;
	/* What was answered. */
	int answers;
	int rc;
	bool proved;
	bool is_settled;
	uint32_t culprit;
	enum message_type last;
	const char *subtopic; /* of what is registered */
};

static void on_loaded(void *arg, int rc)
{
	struct world *w = arg;

	assert_ok(rc);
	loop_stop(w->loop);
}

static void on_culprit(void *arg, uint32_t id)
{
	struct world *w = arg;

	w->culprit = id;
	loop_stop(w->loop);
}

static int set_up(void **state)
{
	static const struct registry_opts limits = { 20, 64, 30 };
	static const struct service_local_opts local = {
		.audience = { .enabled = true, .topic = TOPIC },
	};
	const struct service_remote_opts remote = {
		.audience = { .enabled = true },
		.key = key,
	};
	const struct message_offer offer = { STR(TOPIC), 64, true };
	struct world *w = xcalloc(1, sizeof(*w));
	char path[100];

	testdir_init(&w->dir);
	(void)snprintf(path, sizeof(path), "%s/seal.key", w->dir.path);
	assert_ok(seal_load(NULL, path, true, &w->seal, NULL));
	w->subtopic = "com.apple.mobilemail";
	w->loop = loop_new();
	w->ledger =
		ledger_new(w->loop, store_memory_new(w->loop), on_loaded, w);
	w->registry = registry_new(w->loop, w->ledger, &limits);
	loop_run(w->loop);
	w->local = service_local_new(w->loop, w->ledger, w->registry, w->seal,
	                             &local);
	w->server = service_server_new(w->loop, w->local, key, on_culprit, w);
	w->remote = service_remote_new(w->loop, &remote);
	service_remote_offer(w->remote, &offer);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	service_free(&w->remote);
	service_server_free(&w->server);
	service_free(&w->local);
	registry_free(&w->registry);
	ledger_free(&w->ledger);
	seal_free(&w->seal);
	loop_free(&w->loop);
	testdir_done(&w->dir);
	free(w);
	return 0;
}

/* introduce is what main does. */
static void introduce(struct world *w)
{
	int fds[2];

	assert_ok(channel_pair(fds, NULL));
	service_remote_connect(w->remote, fds[0]);
	service_server_add(w->server, 1, fds[1]);
}

/* die is what happens to a push process; its memory is on disk here. */
static void die(struct world *w)
{
	service_server_free(&w->server);
	w->server = service_server_new(w->loop, w->local, key, on_culprit, w);
}

static void answered(struct world *w)
{
	w->answers++;
	loop_stop(w->loop);
}

static void on_done(void *arg, int rc)
{
	struct world *w = arg;

	w->rc = rc;
	answered(w);
}

static void on_looked_up(void *arg, const bool *proved, size_t count)
{
	struct world *w = arg;

	assert_int_equal(count, 1);
	w->proved = proved[0];
	answered(w);
}

static void on_patience(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop);
}

/* turn turns the loop until somebody is answered, or for a moment. */
static void turn(struct world *w, unsigned ms)
{
	struct loop_timer *t = loop_timer_new(w->loop, on_patience, w);

	loop_timer_set(t, ms);
	loop_run(w->loop);
	loop_timer_free(&t);
}

/* wait_for turns until |n| were answered. */
static void wait_for(struct world *w, int n)
{
	for (int i = 0; i < 100 && w->answers < n; i++)
		turn(w, 100);
	assert_int_equal(w->answers, n);
}

/* wait_all_said turns until the push process has all. On a busy machine it is
 * turns that count, not time. */
static void wait_all_said(struct world *w)
{
	for (int i = 0; i < 1000 && service_remote_kept(w->remote) > 0; i++)
		turn(w, 20);
	assert_int_equal(service_remote_kept(w->remote), 0);
}

static void wait_culprit(struct world *w)
{
	for (int i = 0; i < 1000 && w->culprit == 0; i++)
		turn(w, 20);
	assert_int_equal(w->culprit, 3);
}

static void ask(struct world *w, const char *user, const char *password)
{
	static const struct service_mailbox box = {
		{ "INBOX", 5 }, true, true, 7, 12, 11, 3
	};
	const struct imap_xaps command = {
		.version = 2,
		.account_id = STR("acc"),
		.device_token = STR(TOKEN),
		.subtopic = str_of(w->subtopic),
	};
	struct imap_login login = {
		.method = IMAP_LOGIN_PLAIN,
		.user = str_of(user),
		.authzid = STR(""),
		.password =
			password != NULL ? secret_new(str_of(password)) : NULL,
	};
	const struct service_registration registration = {
		.login_name = str_of(user),
		.login = password != NULL ? &login : NULL,
		.command = &command,
		.topic = STR(TOPIC),
		.mailboxes = &box,
		.mailbox_count = 1,
	};

	service_register(w->remote, &registration, on_done, w);
	secret_free(&login.password);
}

static void log_in(struct world *w, const char *user, const char *password)
{
	struct imap_login login = {
		.method = IMAP_LOGIN_COMMAND,
		.user = str_of(user),
		.authzid = STR(""),
		.password = secret_new(str_of(password)),
	};

	service_logged_in(w->remote, &login);
	secret_free(&login.password);
}

/* kept wants |password| to be what is sealed for |user|; NULL: none. */
static void kept(struct world *w, const char *user, const char *password)
{
	struct imap_login login = { 0 };
	struct store_login row;
	int rc = registry_login(w->registry, str_of(user), &row);

	if (password == NULL) {
		assert_int_equal(rc, ERR_NOT_FOUND);
		return;
	}
	assert_ok(rc);
	assert_ok(seal_open(w->seal, str_of(user), row.blob, &login));
	assert_str(secret_str(login.password), password);
	imap_login_done(&login);
}

static void registers_and_looks_up(void **state)
{
	const struct str inbox = STR("INBOX");
	struct world *w = *state;

	introduce(w);
	service_lookup(w->remote, STR("anna"), &inbox, 1, on_looked_up, w);
	assert_int_equal(w->answers, 0); /* on a later turn */
	wait_for(w, 1);
	assert_false(w->proved);
	ask(w, "anna", NULL);
	assert_int_equal(w->answers, 1);
	wait_for(w, 2);
	assert_ok(w->rc);
	assert_true(registry_has(w->registry, STR("anna")));
	service_lookup(w->remote, STR("anna"), &inbox, 1, on_looked_up, w);
	wait_for(w, 3);
	assert_true(w->proved);
	kept(w, "anna", NULL);
}

/* With the registration, and when it has changed; of others it is not. */
static void password_is_kept(void **state)
{
	struct world *w = *state;

	introduce(w);
	ask(w, "anna", "secret");
	wait_for(w, 1);
	kept(w, "anna", "secret");
	log_in(w, "anna", "changed");
	log_in(w, "berta", "other");
	wait_all_said(w);
	kept(w, "anna", "changed");
	kept(w, "berta", NULL);
}

static void offer_is_the_push_process_s(void **state)
{
	const struct message_offer none = { STR(""), 7, false };
	struct world *w = *state;
	struct str topic;

	assert_true(service_offers(w->remote));
	assert_true(service_offer(w->remote, STR("anna"), &topic));
	assert_str(topic, TOPIC);
	assert_true(service_keeps_logins(w->remote));
	service_remote_offer(w->remote, &none);
	assert_false(service_offers(w->remote));
	assert_false(service_keeps_logins(w->remote));
	assert_int_equal(service_mailboxes_max(w->remote), 7);
	assert_str(topic, TOPIC); /* sessions have it */
}

/* Nobody notices: OK, and it is there when the push process is. */
static void without_push_registrations_wait(void **state)
{
	const struct str inbox = STR("INBOX");
	struct world *w = *state;

	service_lookup(w->remote, STR("anna"), &inbox, 1, on_looked_up, w);
	ask(w, "anna", "secret");
	assert_int_equal(w->answers, 0);
	wait_for(w, 2);
	assert_false(w->proved);
	assert_int_equal(w->rc, ERR_IO);
	assert_int_equal(service_remote_kept(w->remote), 1);
	/* The same device again takes no more room. */
	ask(w, "anna", "secret");
	wait_for(w, 3);
	turn(w, 10);
	assert_int_equal(service_remote_kept(w->remote), 1);
	introduce(w);
	wait_all_said(w);
	assert_true(registry_has(w->registry, STR("anna")));
	kept(w, "anna", "secret");
	assert_int_equal(w->answers, 3);
}

static void on_settled(void *arg)
{
	struct world *w = arg;

	w->is_settled = true;
	loop_stop(w->loop);
}

/* A worker ends when the push process has all that phones were told of. */
static void end_waits_for_push(void **state)
{
	struct world *w = *state;

	ask(w, "anna", NULL);
	wait_for(w, 1);
	service_remote_settle(w->remote, on_settled, w);
	turn(w, 20);
	assert_false(w->is_settled);
	introduce(w);
	for (int i = 0; i < 1000 && !w->is_settled; i++)
		turn(w, 20);
	assert_true(w->is_settled);
	assert_true(registry_has(w->registry, STR("anna")));
}

static void on_device(void *arg, const struct store_registration *reg)
{
	const struct world *w = arg;

	assert_str(reg->subtopic, w->subtopic);
}

/* The push process asks for the password of what waited: the newer wish, which
 * has none, is the one that counts, and the password is kept. */
static void newer_wish_counts(void **state)
{
	struct world *w = *state;

	ask(w, "anna", "secret");
	wait_for(w, 1);
	introduce(w);
	w->subtopic = "com.example.newer";
	ask(w, "anna", NULL);
	wait_for(w, 2);
	wait_all_said(w);
	kept(w, "anna", "secret");
	registry_devices(w->registry, STR("anna"), on_device, w);
}

/* What was said and not answered is said again. */
static void push_that_dies_loses_nothing(void **state)
{
	struct world *w = *state;
	int fds[2];

	assert_ok(channel_pair(fds, NULL));
	service_remote_connect(w->remote, fds[0]);
	for (int i = 0; i < 300; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "user%d", i);
		ask(w, user, "secret");
	}
	turn(w, 50);
	assert_int_equal(w->answers, 0); /* nobody listens */
	assert_ok(close(fds[1]));
	wait_for(w, 300);
	assert_int_equal(w->rc, ERR_IO);
	introduce(w);
	turn(w, 20);
	die(w); /* again, in the midst of it */
	turn(w, 20);
	introduce(w);
	wait_all_said(w);
	for (int i = 0; i < 300; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "user%d", i);
		assert_true(registry_has(w->registry, str_of(user)));
		kept(w, user, "secret");
	}
}

static void end_answers_what_is_open(void **state)
{
	const struct str inbox = STR("INBOX");
	struct world *w = *state;

	introduce(w);
	service_lookup(w->remote, STR("anna"), &inbox, 1, on_looked_up, w);
	ask(w, "anna", NULL);
	service_free(&w->remote);
	assert_int_equal(w->answers, 2);
	assert_int_equal(w->rc, ERR_CANCELED);
}

static void on_answer(void *arg, const struct message *m, int fd)
{
	struct world *w = arg;

	assert_int_equal(fd, -1);
	w->last = m->type;
	answered(w);
}

/* A worker that was taken over. */
static struct channel *taken_over(struct world *w)
{
	static const struct channel_events heard = { .message = on_answer };
	int fds[2];

	assert_ok(channel_pair(fds, NULL));
	service_server_add(w->server, 3, fds[1]);
	return channel_new(w->loop, fds[0], &heard, w);
}

/* guess asks whether |password| is anna's; the answer. */
static enum message_type guess(struct world *w, struct channel *c,
                               const char *password)
{
	struct imap_login login = {
		.method = IMAP_LOGIN_COMMAND,
		.user = STR("anna"),
		.password = secret_new(str_of(password)),
	};
	struct message m = { .type = MESSAGE_LOGGED_IN };
	char digest[SEAL_DIGEST_BYTES];
	int before = w->answers;

	seal_digest(key, &login, digest);
	m.u.logged_in.login_name = login.user;
	m.u.logged_in.login.digest = str_new(digest, sizeof(digest));
	assert_ok(channel_tell(c, &m, -1));
	wait_for(w, before + 1);
	secret_free(&login.password);
	return w->last;
}

/* The answer to a digest is the answer to a guess: there are few. */
static void passwords_cannot_be_guessed(void **state)
{
	struct world *w = *state;
	struct channel *c;

	introduce(w);
	ask(w, "anna", "secret");
	wait_for(w, 1);
	kept(w, "anna", "secret");
	c = taken_over(w);
	assert_int_equal(guess(w, c, "secret"), MESSAGE_DONE);
	for (int i = 0; i < 100; i++)
		assert_int_equal(guess(w, c, "wrong"), MESSAGE_WANTED);
	assert_int_equal(guess(w, c, "secret"), MESSAGE_WANTED);
	assert_int_equal(w->culprit, 0);
	kept(w, "anna", "secret");
	channel_free(&c);
}

/* What is said of a login by its name alone is answered. */
static void say_names(struct world *w, struct channel *c, int count)
{
	struct message m = { .type = MESSAGE_LOGGED_IN };

	m.u.logged_in.login_name = STR("anna");
	for (int i = 0; i < count; i++) {
		assert_ok(channel_tell(c, &m, -1));
		if (i % 16 == 15)
			wait_for(w, i + 1);
	}
	wait_for(w, count);
}

/* 20,000 at once are all phones after a restart; more come at 2,000/s. */
static void who_asks_too_much_waits(void **state)
{
	struct world *w = *state;
	struct channel *c = taken_over(w);
	uint64_t before = loop_now_ms(w->loop);

	say_names(w, c, 21200);
	assert_true(loop_now_ms(w->loop) - before >= 500);
	assert_int_equal(w->culprit, 0);
	channel_free(&c);
}

/* A push side that takes its time. */
struct slow {
	struct service base;
	service_done_fn *done;
	void *args[64];
	size_t count;
};

static void slow_put(struct service *s,
                     const struct service_registration *registration,
                     service_done_fn *done, void *arg)
{
	struct slow *slow = (struct slow *)s;

	(void)registration;
	assert_in_range(slow->count, 0, 63);
	slow->done = done;
	slow->args[slow->count++] = arg;
}

/* say_long says registrations of a MiB until no more are taken, |max| at most.
 */
static size_t say_long(struct world *w, struct channel *c, size_t max)
{
	struct service_mailbox *boxes =
		xcalloc(IMAP_XAPS_MAILBOXES_MAX, sizeof(*boxes));
	struct message m = { .type = MESSAGE_REGISTER };
	struct service_registration *wish = &m.u.registration.wish;
	char name[IMAP_XAPS_MAILBOX_MAX];
	size_t said = 0;

	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < IMAP_XAPS_MAILBOXES_MAX; i++)
		boxes[i].name = str_new(name, sizeof(name));
	wish->login_name = STR("anna");
	wish->topic = STR(TOPIC);
	wish->mailboxes = boxes;
	wish->mailbox_count = IMAP_XAPS_MAILBOXES_MAX;
	m.u.registration.command = (struct imap_xaps){
		.version = 2,
		.account_id = STR("acc"),
		.device_token = STR(TOKEN),
		.subtopic = STR("com.apple.mobilemail"),
	};
	for (int tries = 0; said < max && tries < 50; tries++) {
		if (channel_send(c, &m) == ERR_OK) {
			said++;
			tries = 0;
		}
		turn(w, 10);
	}
	free(boxes);
	return said;
}

/* What is not answered is in memory: there is a limit, and it goes on. */
static void long_requests_wait_for_each_other(void **state)
{
	static const struct service_ops ops = { .put = slow_put };
	struct slow slow = { .base = { &ops } };
	struct world *w = *state;
	struct channel *c;

	service_server_free(&w->server);
	w->server = service_server_new(w->loop, &slow.base, key, on_culprit, w);
	c = taken_over(w);
	assert_in_range(say_long(w, c, 60), 8, 10);
	assert_in_range(slow.count, 8, 9);
	while (slow.count > 0) {
		slow.done(slow.args[--slow.count], ERR_OK);
		turn(w, 5);
	}
	turn(w, 20);
	assert_in_range(say_long(w, c, 2), 2, 2);
	while (slow.count > 0)
		slow.done(slow.args[--slow.count], ERR_OK);
	assert_int_equal(w->culprit, 0);
	channel_free(&c);
}

static void worker_that_speaks_as_main_is_reported(void **state)
{
	struct world *w = *state;
	struct channel *c = taken_over(w);

	channel_pause(c);
	channel_post(c, MESSAGE_STOP, 0);
	wait_culprit(w);
	channel_free(&c);
}

static void login_of_somebody_else_is_reported(void **state)
{
	struct imap_login login = {
		.method = IMAP_LOGIN_COMMAND,
		.user = STR("berta"),
		.password = secret_new(STR("x")),
	};
	struct message m = { .type = MESSAGE_LOGGED_IN };
	struct world *w = *state;
	struct channel *c = taken_over(w);

	m.u.logged_in.login_name = STR("anna");
	m.u.logged_in.login.whole = &login;
	channel_pause(c);
	assert_ok(channel_send(c, &m));
	wait_culprit(w);
	secret_free(&login.password);
	channel_free(&c);
}

/* Its answers are not kept for ever. */
static void worker_that_never_listens_is_reported(void **state)
{
	struct message m = { .type = MESSAGE_LOGGED_IN };
	struct world *w = *state;
	struct channel *c = taken_over(w);

	m.u.logged_in.login_name = STR("anna");
	channel_pause(c);
	for (int i = 0; i < 100000 && w->culprit == 0; i++) {
		if (channel_send(c, &m) != ERR_OK)
			turn(w, 20);
	}
	assert_int_equal(w->culprit, 3);
	channel_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_and_looks_up, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(password_is_kept, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(offer_is_the_push_process_s,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_push_registrations_wait,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(end_waits_for_push, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(newer_wish_counts, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(push_that_dies_loses_nothing,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(end_answers_what_is_open,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(passwords_cannot_be_guessed,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_asks_too_much_waits, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(
			long_requests_wait_for_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			worker_that_speaks_as_main_is_reported, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			login_of_somebody_else_is_reported, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			worker_that_never_listens_is_reported, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
