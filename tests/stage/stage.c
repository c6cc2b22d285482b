/* SPDX-License-Identifier: ISC */
#include "stage/stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

/* must: a call of the test's own that cannot fail. */
static void must(int rc)
{
	assert(rc == 0);
}

static const struct route south = { STAGE_SOUTH, 1 };

static const struct proxy_listen door = { .host = "127.0.0.1", .port = 143 };

void stage_init(struct stage *st)
{
	struct log_opts quiet = { .level = LOG_LEVEL_ERROR };

	log_setup(&quiet);
	*st = (struct stage){
		.targets = {
			{ .host = "backend", .port = 143 },
			{ .host = "south", .port = STAGE_SOUTH_PORT },
		},
	};
	st->routes = (struct routes){
		.targets = st->targets,
		.target_count = 1,
		.list = &south,
	};
	st->mechanisms = "AUTH=PLAIN";
	st->loop = loop_new();
	st->resolver = resolver_new(st->loop);
	st->service = fake_service_new(st->loop);
	st->opts = (struct proxy_opts){
		.listen = &door,
		.listen_count = 1,
		.routes = &st->routes,
		.push_enabled = true,
		.sessions_max = 100,
		.logins_pending_per_address = 20,
		.login_failures = 3,
		.login_s = 60,
		.idle_s = 1860,
		.fresh_s = 300,
	};
}

/* stage_probed answers the probe's CAPABILITY. */
static void stage_probed(struct stage *st)
{
	struct str tag = fake_written(st->probe);
	struct buf reply;

	tag.len = str_find(tag, ' ');
	buf_init(&reply, 1024);
	must(buf_printf(&reply, "* CAPABILITY IMAP4rev1 IDLE %s ID\r\n",
	                st->mechanisms));
	must(buf_add(&reply, tag));
	must(buf_adds(&reply, " OK done\r\n"));
	fake_push(st->probe, buf_str(&reply));
	fake_run(st->loop);
	buf_reset(&reply);
}

static void stage_greeted(struct stage *st)
{
	char greeting[1024];

	(void)snprintf(greeting, sizeof(greeting), STAGE_GREETS,
	               st->mechanisms);
	fake_run(st->loop);
	fake_push(st->probe, str_of(greeting));
	fake_run(st->loop);
	stage_probed(st);
}

void stage_probe(struct stage *st)
{
	fake_peer_free(&st->probe);
	st->probe = fake_dial_connect(st->loop, 0);
	stage_greeted(st);
}

void stage_start(struct stage *st)
{
	struct err_detail why;

	st->probe = fake_dial_connect(st->loop, 0);
	must(proxy_new(st->loop, st->resolver, st->service, &st->opts,
	               &st->proxy, &why));
	stage_greeted(st);
}

void stage_done(struct stage *st)
{
	proxy_free(&st->proxy);
	service_free(&st->service);
	resolver_free(&st->resolver);
	streams_finish(st->loop);
	fake_peer_free(&st->probe);
	fake_peer_free(&st->client);
	fake_peer_free(&st->backend);
	loop_free(&st->loop);
}

void stage_client(struct stage *st)
{
	st->client = fake_accept(st->loop, 143);
	fake_run(st->loop);
	fake_written_clear(st->client);
}

void stage_dialled(struct stage *st)
{
	st->backend = fake_dial_connect(st->loop, 0);
	fake_run(st->loop);
	stage_b(st, STAGE_GREETING);
}

void stage_login_as(struct stage *st, const char *user, const char *reply)
{
	char line[128];

	stage_client(st);
	st->backend = fake_dial_connect(st->loop, 0);
	(void)snprintf(line, sizeof(line), "L LOGIN %s secret\r\n", user);
	stage_c(st, line);
	stage_b(st, STAGE_GREETING);
	(void)snprintf(line, sizeof(line), "L LOGIN \"%s\" \"secret\"\r\n",
	               user);
	stage_sees_b(st, line);
	stage_b(st, reply);
}

void stage_login(struct stage *st)
{
	stage_login_as(st, "user", "L OK Logged in\r\n");
	stage_sees_c(st, "L OK Logged in\r\n");
}

void stage_c(struct stage *st, const char *text)
{
	fake_push(st->client, str_of(text));
	fake_run(st->loop);
}

void stage_b(struct stage *st, const char *text)
{
	fake_push(st->backend, str_of(text));
	fake_run(st->loop);
}

static void wrong(const char *text, struct str got, int line)
{
	(void)fprintf(stderr, "line %d: wanted \"%s\", got \"%.*s\"\n", line,
	              text, (int)got.len, got.data != NULL ? got.data : "");
	abort();
}

void stage_sees(struct fake_peer *peer, const char *text, int line)
{
	struct str got = fake_written(peer);

	if (!str_eq(got, str_of(text)))
		wrong(text, got, line);
	fake_written_clear(peer);
}
