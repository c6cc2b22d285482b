/* SPDX-License-Identifier: ISC */
/* Who is offered what, what a registration stores, which logins are kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "push/seal.h"
#include "push/testpush.h"
#include "store/teststore.h"
#include "unit/unit.h"

#define TOPIC "com.apple.mail.XServer.test"

struct fixture {
	struct testdir dir;
	struct testpush p;
	struct seal *seal;
	struct service_local_opts opts;
	struct service *service;
	int calls; /* of the registration or lookup */
	int rc;
	size_t kept_then; /* commits on disk at that time */
	char proved[8];   /* "yn" of the lookup */
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char path[100];

	testdir_init(&f->dir);
	(void)snprintf(path, sizeof(path), "%s/seal.key", f->dir.path);
	assert_ok(seal_load(NULL, path, true, &f->seal, NULL));
	testpush_init(&f->p);
	testpush_start(&f->p);
	f->opts = (struct service_local_opts){ .audience = { .enabled = true,
		                                             .topic = TOPIC } };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	service_free(&f->service);
	testpush_done(&f->p);
	seal_free(&f->seal);
	testdir_done(&f->dir);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	service_free(&f->service);
	f->service = service_local_new(f->p.loop, f->p.ledger, f->p.registry,
	                               f->seal, &f->opts);
}

static struct imap_login login_of(const char *user, const char *password)
{
	return (struct imap_login){
		.method = IMAP_LOGIN_PLAIN,
		.user = str_of(user),
		.authzid = STR(""),
		.password =
			password != NULL ? secret_new(str_of(password)) : NULL,
	};
}

static void logged_in(struct fixture *f, const char *user, const char *password)
{
	struct imap_login login = login_of(user, password);

	service_logged_in(f->service, &login);
	secret_free(&login.password);
	fake_run(f->p.loop);
}

static void on_done(void *arg, int rc)
{
	struct fixture *f = arg;

	f->calls++;
	f->rc = rc;
	f->kept_then = f->p.disk.kept_count;
}

/* A mailbox as the session showed it, and one that it did not in time. */
static const struct service_mailbox boxes[] = {
	{ { "INBOX", 5 }, true, true, 7, 12, 11, 3 },
	{ { "Work", 4 }, false, false, 0, 0, 0, 0 },
};

/* ask_as registers |user|'s phone, with its |login| or NULL. */
static void ask_as(struct fixture *f, const char *user,
                   const struct imap_login *login)
{
	const struct imap_xaps command = {
		.version = 3,
		.account_id = STR("acc"),
		.device_token = STR("t1"),
		.subtopic = STR("com.apple.mobilemail"),
	};
	const struct service_registration registration = {
		.login_name = str_of(user),
		.login = login,
		.command = &command,
		.topic = STR(TOPIC),
		.mailboxes = boxes,
		.mailbox_count = 2,
	};

	f->calls = 0;
	service_register(f->service, &registration, on_done, f);
	assert_int_equal(f->calls, 0); /* on a later turn */
}

static void ask(struct fixture *f, const char *user, const char *password)
{
	struct imap_login login = login_of(user, password);

	ask_as(f, user, password != NULL ? &login : NULL);
	secret_free(&login.password);
}

/* registers does that and wants it to be on disk. */
static void registers(struct fixture *f, const char *user, const char *password)
{
	ask(f, user, password);
	fake_run(f->p.loop);
	assert_int_equal(f->calls, 1);
	assert_ok(f->rc);
}

#define ANNA                          \
	"phone anna/t1 INBOX* Work\n" \
	"state anna INBOX 7:12 messages=11 unseen=3\n"

static void want_disk(struct fixture *f, const char *text)
{
	fake_run(f->p.loop);
	scriptstore_want(&f->p.disk, text);
}

/* holds wants the stored login of |user| to open as |name| and |password|;
 * NULL: there is none. */
static void holds(struct fixture *f, const char *user, const char *name,
                  const char *password)
{
	struct imap_login want = login_of(name, password);
	struct imap_login l = { 0 };
	struct store_login row;
	int rc = registry_login(f->p.registry, str_of(user), &row);

	if (password == NULL) {
		assert_int_equal(rc, ERR_NOT_FOUND);
		return;
	}
	assert_ok(rc);
	assert_false(row.rejected);
	assert_ok(seal_open(f->seal, str_of(user), row.blob, &l));
	assert_true(str_eq(l.user, want.user));
	assert_true(secret_eq(l.password, want.password));
	imap_login_done(&l);
	secret_free(&want.password);
}

/* Offers. */

static void nothing_is_offered_without_topic_or_when_disabled(void **state)
{
	struct fixture *f = *state;
	struct str topic = STR_NULL;

	start(f);
	assert_true(service_offers(f->service));
	assert_true(service_offer(f->service, STR("anna"), &topic));
	assert_str(topic, TOPIC);
	f->opts.audience.topic = NULL;
	start(f);
	assert_false(service_offers(f->service));
	assert_false(service_offer(f->service, STR("anna"), &topic));
	f->opts.audience.topic = TOPIC;
	f->opts.audience.enabled = false;
	start(f);
	assert_false(service_offers(f->service));
	assert_false(service_offer(f->service, STR("anna"), &topic));
}

static void topic_changes_for_those_who_come(void **state)
{
	struct fixture *f = *state;
	struct str first = STR_NULL;
	struct str topic = STR_NULL;

	start(f);
	assert_true(service_offer(f->service, STR("anna"), &first));
	service_local_set_topic(f->service, "com.apple.other");
	assert_true(service_offer(f->service, STR("anna"), &topic));
	assert_str(topic, "com.apple.other");
	service_local_set_topic(f->service, NULL);
	assert_false(service_offers(f->service));
	assert_false(service_offer(f->service, STR("anna"), &topic));
	service_local_set_topic(f->service, TOPIC);
	assert_true(service_offer(f->service, STR("anna"), &topic));
	assert_str(topic, TOPIC);
	/* What a session was told stays what it is. */
	assert_str(first, TOPIC);
}

static void allow_and_deny_name_users_and_domains(void **state)
{
	static const struct {
		const char *allow; /* space between entries */
		const char *deny;
		const char *domain;
		bool lowercase;
		const char *user;
		bool offered;
	} rows[] = {
		{ "", "", NULL, false, "anna", true },
		{ "anna", "", NULL, false, "anna", true },
		{ "anna", "", NULL, false, "bert", false },
		{ "bert anna", "", NULL, false, "anna", true },
		{ "anna", "", NULL, false, "Anna", false },
		{ "anna", "", NULL, true, "ANNA", true },
		{ "Anna", "", NULL, true, "anna", true },
		{ "", "anna", NULL, false, "anna", false },
		{ "", "anna", NULL, false, "bert", true },
		{ "anna", "anna", NULL, false, "anna", false },
		{ "example.org", "", NULL, false, "anna@example.org", true },
		{ "@example.org", "", NULL, false, "anna@example.org", true },
		{ "example.org", "", NULL, false, "anna@EXAMPLE.org", true },
		{ "example.org", "", NULL, false, "a@b@example.org", true },
		{ "example.org", "", NULL, false, "anna@a.example.org", false },
		{ "example.org", "", NULL, false, "anna@example.org.x", false },
		{ "example.org", "", NULL, false, "example.org@a", false },
		{ "example.org", "", NULL, false, "anna", false },
		{ "example.org", "", "example.org", false, "anna", true },
		{ "anna@example.org", "", "example.org", false, "anna", true },
		{ "example.org", "bert@example.org", NULL, false,
		  "bert@example.org", false },
		{ "anna@example.org", "example.org", NULL, false,
		  "anna@example.org", false },
		{ "@", "", NULL, false, "anna@", false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str lists[] = { str_of(rows[i].allow),
			               str_of(rows[i].deny) };
		struct str items[2][4];
		size_t counts[2] = { 0, 0 };
		struct str topic = STR_NULL;

		for (size_t n = 0; n < 2; n++) {
			while (lists[n].len > 0) {
				items[n][counts[n]++] = str_take(
					&lists[n], str_find(lists[n], ' '));
				(void)str_byte(&lists[n], ' ');
			}
		}
		f->opts.audience.allow = items[0];
		f->opts.audience.allow_count = counts[0];
		f->opts.audience.deny = items[1];
		f->opts.audience.deny_count = counts[1];
		f->opts.audience.default_domain = rows[i].domain;
		f->opts.audience.lowercase = rows[i].lowercase;
		start(f);
		memset(items, 0, sizeof(items)); /* it has copies */
		if (service_offer(f->service, str_of(rows[i].user), &topic) !=
		    rows[i].offered)
			fail_msg("row %zu", i);
		assert_true(service_offers(f->service)); /* to someone */
	}
}

static void name_longer_than_any_login_is_nobody(void **state)
{
	struct fixture *f = *state;
	char name[IMAP_USER_MAX + 2];
	struct str topic = STR_NULL;

	memset(name, 'n', sizeof(name));
	name[IMAP_USER_MAX + 1] = '\0';
	start(f);
	assert_false(service_offer(f->service, str_of(name), &topic));
	logged_in(f, name, "pw");
	/* Whatever happens, the phone is told OK. */
	registers(f, name, "pw");
	want_disk(f, "");
}

/* Users. */

static void login_names_become_users(void **state)
{
	static const struct {
		bool lowercase;
		const char *domain;
		const char *login;
		const char *user;
	} rows[] = {
		{ false, NULL, "Anna", "Anna" },
		{ true, NULL, "Anna", "anna" },
		{ true, NULL, "ANNA@Example.ORG", "anna@example.org" },
		{ true, NULL, "\xc3\x84nna", "\xc3\x84nna" }, /* ASCII only */
		{ false, "example.org", "Anna", "Anna@example.org" },
		{ true, "Example.org", "Anna", "anna@example.org" },
		{ false, "example.org", "anna@other", "anna@other" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ledger_user *u;

		f->opts.audience.lowercase = rows[i].lowercase;
		f->opts.audience.default_domain = rows[i].domain;
		start(f);
		registers(f, rows[i].login, "pw");
		u = ledger_user_first(f->p.ledger);
		assert_str(ledger_user_name(u), rows[i].user);
		assert_null(ledger_user_next(u));
		/* The backend gets the name as it was typed. */
		holds(f, rows[i].user, rows[i].login, "pw");
		registry_remove(f->p.registry,
		                ledger_registration_first(u)->id);
		fake_run(f->p.loop);
	}
}

/* Registrations. */

static void registration_baseline_and_login_are_one_commit(void **state)
{
	struct fixture *f = *state;
	const struct store_batch *b;

	start(f);
	ask(f, "anna", "pw");
	fake_run(f->p.loop);
	assert_int_equal(f->calls, 1);
	assert_ok(f->rc);
	assert_int_equal(f->kept_then, 1); /* before it was said */
	assert_int_equal(f->p.disk.kept_count, 1);
	b = scriptstore_last(&f->p.disk);
	assert_int_equal(b->registration_count, 1);
	assert_str(b->registrations[0].topic, TOPIC);
	assert_str(b->registrations[0].subtopic, "com.apple.mobilemail");
	assert_str(b->registrations[0].account_id, "acc");
	assert_int_equal(b->registrations[0].version, 2); /* 3 was asked */
	assert_int_equal(b->state_count, 1);
	assert_int_equal(b->login_count, 1);
	holds(f, "anna", "anna", "pw");
}

static void baseline_is_not_moved_by_registering_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	registers(f, "anna", NULL);
	testpush_event(&f->p, NOTIFIER_STATE, "anna", "INBOX", 10);
	registers(f, "anna", NULL);
	/* What came between 10 and 12 is still to be rung for. */
	want_disk(f, "phone anna/t1 INBOX* Work\n"
	             "state anna INBOX 7:10 messages=9 unseen=-1\n");
}

static void mailbox_over_the_limit_has_no_baseline(void **state)
{
	struct fixture *f = *state;

	f->p.registry_opts.mailboxes_per_device = 0;
	testpush_restart(&f->p);
	start(f);
	assert_int_equal(service_mailboxes_max(f->service), 0);
	registers(f, "anna", NULL);
	want_disk(f, "phone anna/t1\n");
}

static void disk_that_refuses_costs_no_registration(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->p.disk.commit_rc = ERR_IO;
	ask(f, "anna", NULL);
	fake_run(f->p.loop);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->rc, ERR_IO);
	assert_true(registry_has(f->p.registry, STR("anna")));
	f->p.disk.commit_rc = 0;
	fake_clock_advance(f->p.loop, 500);
	assert_int_equal(f->calls, 1);
	want_disk(f, ANNA);
}

static void disk_that_does_not_answer_delays_the_phone_two_seconds(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->p.disk.hold = true;
	ask(f, "anna", NULL);
	fake_clock_advance(f->p.loop, 1999);
	assert_int_equal(f->calls, 0);
	fake_clock_advance(f->p.loop, 1);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->rc, ERR_IO);
	scriptstore_release(&f->p.disk);
	want_disk(f, ANNA);
	assert_int_equal(f->calls, 1);
}

static void end_cancels_a_registration_and_keeps_it(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->p.disk.hold = true;
	ask(f, "anna", NULL);
	fake_run(f->p.loop);
	service_free(&f->service);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->rc, ERR_CANCELED);
	scriptstore_release(&f->p.disk);
	want_disk(f, ANNA);
	assert_int_equal(f->calls, 1);
}

static void on_lookup(void *arg, const bool *proved, size_t count)
{
	struct fixture *f = arg;

	f->calls++;
	assert_true(count < sizeof(f->proved));
	for (size_t i = 0; i < count; i++)
		f->proved[i] = proved[i] ? 'y' : 'n';
	f->proved[count] = '\0';
}

static void look_up(struct fixture *f, const char *user)
{
	const struct str asked[] = { STR("Work"), STR("inbox"), STR("Sent") };

	f->calls = 0;
	service_lookup(f->service, str_of(user), asked, 3, on_lookup, f);
	assert_int_equal(f->calls, 0);
}

static void lookup_tells_what_is_proved_for_that_user(void **state)
{
	struct fixture *f = *state;

	f->opts.audience.lowercase = true;
	start(f);
	registers(f, "anna", NULL);
	look_up(f, "Anna");
	fake_run(f->p.loop);
	assert_int_equal(f->calls, 1);
	assert_string_equal(f->proved, "nyn");
	look_up(f, "bert");
	service_free(&f->service); /* answers what is open */
	assert_int_equal(f->calls, 1);
	assert_string_equal(f->proved, "nnn");
}

/* Logins. */

static void login_of_nobody_registered_is_not_kept(void **state)
{
	struct fixture *f = *state;

	start(f);
	logged_in(f, "anna", "pw");
	registers(f, "bert", NULL);
	logged_in(f, "anna", "pw");
	holds(f, "anna", "", NULL);
	logged_in(f, "bert", "pw");
	holds(f, "bert", "bert", "pw");
}

static void login_is_sealed_anew_only_when_it_differs(void **state)
{
	struct fixture *f = *state;
	size_t commits;

	start(f);
	registers(f, "anna", "one");
	commits = f->p.disk.commits;
	logged_in(f, "anna", "one");
	assert_int_equal(f->p.disk.commits, commits);
	logged_in(f, "anna", "two");
	assert_int_equal(f->p.disk.commits, commits + 1);
	holds(f, "anna", "anna", "two");
	f->opts.audience.lowercase =
		true; /* the backend's name for her counts */
	start(f);
	logged_in(f, "Anna", "two");
	holds(f, "anna", "Anna", "two");
}

static void rejected_login_is_sealed_anew_when_it_works_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	registers(f, "anna", "one");
	registry_login_rejected(f->p.registry, STR("anna"));
	logged_in(f, "anna", "one");
	holds(f, "anna", "anna", "one");
}

static void login_that_does_not_open_is_sealed_anew(void **state)
{
	struct fixture *f = *state;

	start(f);
	registers(f, "anna", "one");
	registry_login_put(f->p.registry, STR("anna"), STR("damaged"));
	logged_in(f, "anna", "one");
	holds(f, "anna", "anna", "one");
}

static void login_as_somebody_else_is_never_kept(void **state)
{
	struct fixture *f = *state;
	struct imap_login other = login_of("anna", "pw");

	start(f);
	other.authzid = STR("bert");
	ask_as(f, "anna", &other);
	fake_run(f->p.loop);
	assert_ok(f->rc);
	service_logged_in(f->service, &other);
	want_disk(f, ANNA);
	/* Naming oneself is no other. */
	other.authzid = STR("anna");
	service_logged_in(f->service, &other);
	holds(f, "anna", "anna", "pw");
	secret_free(&other.password);
}

static void login_that_may_not_be_kept_is_not(void **state)
{
	struct fixture *f = *state;
	const struct str anna = STR("anna");

	start(f);
	registers(f, "anna", NULL);
	logged_in(f, "anna", NULL); /* OAuth: no password */
	want_disk(f, ANNA);
	f->opts.audience.deny = &anna;
	f->opts.audience.deny_count = 1;
	start(f);
	logged_in(f, "anna", "pw");
	want_disk(f, ANNA);
	f->opts.audience.deny_count = 0;
	f->opts.audience.enabled = false;
	start(f);
	logged_in(f, "anna", "pw");
	want_disk(f, ANNA);
	/* Without a key there is only the registration. */
	f->opts.audience.enabled = true;
	service_free(&f->service);
	f->service = service_local_new(f->p.loop, f->p.ledger, f->p.registry,
	                               NULL, &f->opts);
	registers(f, "anna", "pw");
	logged_in(f, "anna", "pw");
	want_disk(f, ANNA);
}

/* Names only: watch.login = master. */

static void start_names(struct fixture *f)
{
	service_free(&f->service);
	f->opts.names_only = true;
	f->service = service_local_new(f->p.loop, f->p.ledger, f->p.registry,
	                               NULL, &f->opts);
}

/* knows wants the row of |user| to be |name|, |rejected| or not. */
static void knows(struct fixture *f, const char *user, const char *name,
                  bool rejected)
{
	struct store_login row;
	struct str found;

	assert_ok(registry_login(f->p.registry, str_of(user), &row));
	assert_ok(seal_name_open(row.blob, &found));
	assert_str(found, name);
	assert_int_equal(row.rejected, rejected);
}

static void passwords_are_kept_where_they_can_be_sealed(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_true(service_keeps_logins(f->service));
	start_names(f);
	assert_false(service_keeps_logins(f->service));
	f->opts.audience.topic = NULL;
	start(f);
	assert_false(service_keeps_logins(f->service));
}

static void name_alone_is_committed_with_the_registration(void **state)
{
	struct fixture *f = *state;
	const struct store_batch *b;

	f->opts.audience.lowercase = true;
	start_names(f);
	logged_in(f, "Anna", "pw"); /* nobody yet */
	registers(f, "Anna", "pw");
	b = scriptstore_last(&f->p.disk);
	assert_int_equal(b->registration_count, 1);
	assert_int_equal(b->login_count, 1);
	assert_null(
		memmem(b->logins[0].blob.data, b->logins[0].blob.len, "pw", 2));
	/* The backend gets it as it was typed. */
	knows(f, "anna", "Anna", false);
	logged_in(f, "aNNa", NULL);
	knows(f, "anna", "aNNa", false);
}

static void known_name_is_not_written_again(void **state)
{
	struct fixture *f = *state;
	size_t kept;

	start_names(f);
	registers(f, "anna", "pw");
	kept = f->p.disk.kept_count;
	logged_in(f, "anna", "other");
	assert_int_equal(f->p.disk.kept_count, kept);
}

static void refused_name_is_tried_again_after_a_login_alone(void **state)
{
	struct fixture *f = *state;

	start_names(f);
	registers(f, "anna", "pw");
	registry_login_rejected(f->p.registry, STR("anna"));
	registers(f, "anna", "pw"); /* on a session that was there before */
	knows(f, "anna", "anna", true);
	logged_in(f, "anna", "pw");
	knows(f, "anna", "anna", false);
}

static void name_takes_the_place_of_a_sealed_password(void **state)
{
	struct fixture *f = *state;

	start(f);
	registers(f, "anna", "pw");
	start_names(f);
	holds(f, "anna", "anna", "pw"); /* until then it is left */
	logged_in(f, "anna", "pw");
	knows(f, "anna", "anna", false);
	/* And the other way round. */
	f->opts.names_only = false;
	start(f);
	logged_in(f, "anna", "pw");
	holds(f, "anna", "anna", "pw");
}

static void name_of_somebody_else_is_never_kept(void **state)
{
	struct fixture *f = *state;
	struct imap_login other = login_of("anna", "pw");

	start_names(f);
	registers(f, "anna", "pw");
	registry_login_rejected(f->p.registry, STR("anna"));
	other.authzid = STR("bert");
	service_logged_in(f->service, &other);
	knows(f, "anna", "anna", true);
	secret_free(&other.password);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_offered_without_topic_or_when_disabled),
		TEST(topic_changes_for_those_who_come),
		TEST(allow_and_deny_name_users_and_domains),
		TEST(name_longer_than_any_login_is_nobody),
		TEST(login_names_become_users),
		TEST(registration_baseline_and_login_are_one_commit),
		TEST(baseline_is_not_moved_by_registering_again),
		TEST(mailbox_over_the_limit_has_no_baseline),
		TEST(disk_that_refuses_costs_no_registration),
		TEST(disk_that_does_not_answer_delays_the_phone_two_seconds),
		TEST(end_cancels_a_registration_and_keeps_it),
		TEST(lookup_tells_what_is_proved_for_that_user),
		TEST(login_of_nobody_registered_is_not_kept),
		TEST(login_is_sealed_anew_only_when_it_differs),
		TEST(rejected_login_is_sealed_anew_when_it_works_again),
		TEST(login_that_does_not_open_is_sealed_anew),
		TEST(login_as_somebody_else_is_never_kept),
		TEST(login_that_may_not_be_kept_is_not),
		TEST(passwords_are_kept_where_they_can_be_sealed),
		TEST(name_alone_is_committed_with_the_registration),
		TEST(known_name_is_not_written_again),
		TEST(refused_name_is_tried_again_after_a_login_alone),
		TEST(name_takes_the_place_of_a_sealed_password),
		TEST(name_of_somebody_else_is_never_kept),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
