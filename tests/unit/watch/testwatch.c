/* SPDX-License-Identifier: ISC */
#include "watch/testwatch.h"

#include <inttypes.h>
#include <stdio.h>

#include "unit/unit.h"

enum { BLOB_MAX = 10000, LINE_MAX_LEN = 300 };

void testwatch_init(struct testwatch *t)
{
	static const struct route south = { TESTWATCH_SOUTH, 1 };
	char path[100];

	*t = (struct testwatch){
		.targets = {
			{ .host = "backend", .port = 143 },
			{ .host = "south", .port = TESTWATCH_SOUTH_PORT },
		},
		.routes = {
			.target_count = 2,
			.list = &south,
			.count = 1,
		},
		.opts = {
			.renew_s = 1740,
			.poll_s = 60,
			.connections_max = 10000,
			.connect_rate = 20,
			.wake = true,
		},
	};
	t->routes.targets = t->targets;
	t->opts.routes = &t->routes;
	testdir_init(&t->dir);
	(void)snprintf(path, sizeof(path), "%s/seal.key", t->dir.path);
	assert_ok(seal_load(NULL, path, true, &t->seal, NULL));
	t->opts.login.seal = t->seal;
	testpush_init(&t->p);
	testpush_start(&t->p);
	t->resolver = resolver_new(t->p.loop);
}

void testwatch_done(struct testwatch *t)
{
	resolver_free(&t->resolver);
	streams_finish(t->p.loop);
	testpush_done(&t->p);
	seal_free(&t->seal);
	secret_free(&t->secret);
	testdir_done(&t->dir);
}

struct watcher_env testwatch_env(const struct testwatch *t)
{
	return (struct watcher_env){
		.loop = t->p.loop,
		.resolver = t->resolver,
		.registry = t->p.registry,
		.notifier = t->p.notifier,
		.opts = t->opts,
	};
}

void testwatch_login(struct testwatch *t, const char *user,
                     const char *password)
{
	struct imap_login login = { .method = IMAP_LOGIN_PLAIN,
		                    .user = str_of(user),
		                    .authzid = STR(""),
		                    .password = secret_new(str_of(password)) };
	struct buf blob;

	buf_init(&blob, BLOB_MAX);
	assert_ok(seal_close(t->seal, str_of(user), &login, &blob));
	registry_login_put(t->p.registry, str_of(user), buf_str(&blob));
	buf_reset(&blob);
	secret_free(&login.password);
}

void testwatch_user(struct testwatch *t, const char *user)
{
	char token[64];

	(void)snprintf(token, sizeof(token), "t-%s", user);
	(void)testpush_phone(&t->p, user, token, "INBOX*");
	testwatch_login(t, user, "pw");
}

void testwatch_master(struct testwatch *t, enum watch_login_mode mode)
{
	secret_free(&t->secret);
	t->secret = secret_new(STR("secret"));
	t->opts.login = (struct watch_login_opts){
		.mode = mode,
		.master_user = "master",
		.master_separator = "*",
		.master_password = t->secret,
	};
}

void testwatch_shown(struct testwatch *t, const char *user, uint32_t uidnext)
{
	struct buf blob;
	char token[64];

	(void)snprintf(token, sizeof(token), "t-%s", user);
	(void)testpush_phone(&t->p, user, token, "INBOX*");
	testpush_event(&t->p, NOTIFIER_STATE, user, "INBOX", uidnext);
	buf_init(&blob, BLOB_MAX);
	assert_ok(seal_name(str_of(user), &blob));
	registry_login_put(t->p.registry, str_of(user), buf_str(&blob));
	buf_reset(&blob);
}

void testwatch_says(struct testwatch *t, struct fake_peer *peer,
                    const char *text)
{
	fake_push(peer, str_of(text));
	fake_run(t->p.loop);
}

void testwatch_heard(struct testwatch *t, struct fake_peer *peer,
                     const char *text)
{
	struct str copy;

	fake_run(t->p.loop);
	copy = str_dup(fake_written(peer));
	assert_string_equal(copy.data, text);
	str_free(&copy);
	fake_written_clear(peer);
}

void testwatch_log_in(struct testwatch *t, struct fake_peer *peer)
{
	testwatch_says(t, peer, TESTWATCH_GREETING);
	assert_true(
		str_starts(fake_written(peer), STR("W0 AUTHENTICATE PLAIN ")));
	fake_written_clear(peer);
	testwatch_says(t, peer, "W0 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
	testwatch_heard(t, peer, TESTWATCH_STATUS);
}

void testwatch_listen(struct testwatch *t, struct fake_peer *peer,
                      uint32_t uidnext)
{
	char text[LINE_MAX_LEN];

	(void)snprintf(text, sizeof(text),
	               "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT %" PRIu32
	               " MESSAGES %" PRIu32 " UNSEEN 1)\r\nW1 OK done\r\n",
	               uidnext, uidnext - 1);
	testwatch_says(t, peer, text);
	testwatch_heard(t, peer, "W2 EXAMINE INBOX\r\n");
	(void)snprintf(text, sizeof(text),
	               "* %" PRIu32 " EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
	               "* OK [UIDNEXT %" PRIu32 "] x\r\nW2 OK done\r\n",
	               uidnext - 1, uidnext);
	testwatch_says(t, peer, text);
	testwatch_heard(t, peer, "W3 IDLE\r\n");
	testwatch_says(t, peer, "+ idling\r\n");
}

void testwatch_bring_up(struct testwatch *t, struct fake_peer *peer,
                        uint32_t uidnext)
{
	testwatch_log_in(t, peer);
	testwatch_listen(t, peer, uidnext);
}
