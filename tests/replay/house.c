/* SPDX-License-Identifier: ISC */
/* house - see house.h. */
#include "replay/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "fake/fake.h"
#include "process/single.h"
#include "replay/apple.h"
#include "replay/clock.h"
#include "replay/conn.h"
#include "replay/imapd.h"
#include "replay/script.h"
#include "replay/taps.h"
#include "role/rights.h"
#include "testnet/testcert.h"

enum { ARGS_MAX = 128, DAY_S = 24 * 3600 };

#define YEAR_MS ((uint64_t)365 * DAY_S * 1000)

#define TOPIC "com.apple.mail.XServer.replay"

enum phase { PHASE_NONE, PHASE_LIVES, PHASE_KILLED, PHASE_ENDED };

static struct {
	enum phase phase;
	bool wants_start;
	const char *folder;
	struct scriptstore store;
	char *args[ARGS_MAX];
	int arg_count;
	void (*fn)(void);
} house;

static void add_arg(const char *text)
{
	if (house.arg_count == ARGS_MAX - 1)
		script_fail("too many settings");
	house.args[house.arg_count++] = xstrdup(text);
}

static void add_option(const char *option, const char *value)
{
	add_arg(option);
	add_arg(value);
}

/* add_file adds an option whose value is |before| and the path of a file of
 * ours. */
static void add_file(const char *option, const char *before, const char *name)
{
	char value[1024];

	(void)snprintf(value, sizeof(value), "%s%s%s", before, house.folder,
	               name);
	add_option(option, value);
}

static void write_file(const char *name, struct str text)
{
	char path[1024];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s%s", house.folder, name);
	file = fopen(path, "w");
	if (file == NULL || fwrite(text.data, 1, text.len, file) != text.len ||
	    fclose(file) != 0)
		script_fail("cannot write %s", path);
}

void house_credential(uint64_t lasts_ms, struct str topic)
{
	/* Validity is counted from the machine's time. */
	int64_t now_s = clock_wall_ms() / 1000 - (int64_t)time(NULL);
	struct str uid = str_dup(topic.len > 0 ? topic : STR(TOPIC));
	const struct testcert_opts opts = {
		.names = "apns.example",
		.uid = uid.data,
		.from_s = now_s - DAY_S,
		.to_s = now_s + (int64_t)(lasts_ms / 1000),
	};
	struct testcert *cert = testcert_new(&opts);

	write_file("/apns.pem", testcert_pem(cert));
	write_file("/apns.key", testcert_key(cert));
	testcert_free(&cert);
	str_free(&uid);
}

void house_break_credential(void)
{
	write_file("/apns.pem", STR("no certificate\n"));
}

void house_init(const char *path)
{
	scriptstore_init(&house.store, NULL);
	house.folder = path;
	house_credential(YEAR_MS, STR_NULL);
	write_file("/conf", STR(""));
	write_file("/master", STR("secret\n"));
	add_arg("imapbell");
	add_file("--config", "", "/conf");
	add_file("--state", "", "");
	add_option("--listen", "imap://127.0.0.1:143");
	add_option("--backend", "imap://backend.example:143");
	add_option("--apns", "https://apns.example");
	/* The next run, and the script, are this process, too. */
	add_option("-o", "process.sandbox=false");
	add_file("--apns-cert", "", "/apns.pem");
	add_file("--apns-key", "", "/apns.key");
	add_file("--apns-ca", "", "/apns.pem");
	add_option("--watch-login", "sealed");
	/* For those that set watch.login = "master". */
	add_option("--set", "watch.master_user=master");
	add_file("--set", "watch.master_password_file=", "/master");
}

void house_done(void)
{
	for (int i = 0; i < house.arg_count; i++)
		free(house.args[i]);
	house.arg_count = 0;
	scriptstore_done(&house.store);
	imapd_free();
}

void house_set(struct str key, struct str value)
{
	struct buf text;

	buf_init(&text, 4096);
	must(buf_add(&text, key));
	must(buf_adds(&text, "="));
	must(buf_add(&text, value));
	must(buf_append(&text, "", 1));
	add_option("--set", text.data);
	buf_reset(&text);
}

/* on_loop stands in the place of loop_run. */
static void on_loop(struct loop *loop)
{
	(void)loop;
	house.phase = PHASE_LIVES;
	house_settle();
	house.fn();
	if (house.phase == PHASE_KILLED) {
		house.store.dead = true;
		taps_kill();
	} else if (fake_is_stopped(loop)) {
		house.phase = PHASE_ENDED;
	}
	if (house.phase != PHASE_ENDED)
		conns_free();
	apple_free();
	clock_end();
}

void house_run(void (*fn)(void))
{
	char *no_environment[] = { NULL };
	const struct rights rights = { 0 };
	enum conf_action action;
	struct err_detail why;
	struct conf conf;

	house.fn = fn;
	house.store.dead = false;
	taps_set(&house.store, on_loop);
	taps_begin();
	if (conf_load(&conf, house.arg_count, house.args, no_environment,
	              &action, &why) != ERR_OK ||
	    single_run(&conf, &rights, &why) != ERR_OK)
		script_fail("not started: %s", why.text);
	conf_done(&conf);
	conns_note();
}

bool house_lives(void)
{
	return house.phase == PHASE_LIVES && !fake_is_stopped(clock_loop());
}

bool house_has_ended(void)
{
	return house.phase == PHASE_ENDED;
}

void house_restart(void)
{
	if (house.phase == PHASE_LIVES)
		house.phase = PHASE_KILLED;
	house.wants_start = true;
}

bool house_wants_start(void)
{
	bool wanted = house.wants_start;

	house.wants_start = false;
	return wanted;
}

void house_settle(void)
{
	struct loop *loop = clock_loop();
	bool any = loop != NULL;

	while (any) {
		fake_run(loop);
		any = imapd_work();
		any |= apple_work();
	}
	conns_note();
}

uint64_t house_advance(uint64_t ms)
{
	struct loop *loop = clock_loop();
	uint64_t next = fake_clock_next(loop);

	if (next > ms)
		next = ms;
	fake_clock_advance(loop, next);
	house_settle();
	return next;
}

struct scriptstore *house_store(void)
{
	return &house.store;
}
