/* SPDX-License-Identifier: ISC */
/* credentials.sh makes the files; what is wrong with each is named in it. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apns/credential.h"
#include "unit/unit.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static char dir[] = "/tmp/test_credential.XXXXXX";

static const char *in_dir(const char *name, char out[static 64])
{
	if (name == NULL)
		return NULL;
	(void)snprintf(out, 64, "%s/%s", dir, name);
	return out;
}

static int load(const char *certificate, const char *key, struct credential *c,
                struct err_detail *detail)
{
	char certificate_path[64];
	char key_path[64];

	detail->text[0] = '\0';
	return credential_load(NULL, in_dir(certificate, certificate_path),
	                       in_dir(key, key_path), c, detail);
}

/* loaded is a load that must work. */
static struct credential loaded(const char *certificate, const char *key)
{
	struct err_detail detail;
	struct credential c;

	if (load(certificate, key, &c, &detail) != 0)
		fail_msg("%s", detail.text);
	return c;
}

static void topics_come_from_uid_and_extension(void **state)
{
	struct credential c = loaded("apple.pem", "leaf.key");

	(void)state;
	assert_string_equal(c.topic, "com.example.mail");
	assert_int_equal(c.topic_count, 2);
	assert_string_equal(c.topics[0], "com.example.mail");
	assert_string_equal(c.topics[1], "com.example.mail.voip");
	assert_int_equal(c.not_after_ms - c.not_before_ms, 365 * DAY_MS);
	assert_false(c.key_exposed);
	credential_done(&c);
	assert_null(c.topic);
	assert_null(c.key.data);
}

static void topic_without_uid_is_the_first_listed(void **state)
{
	struct credential c = loaded("listed.pem", "leaf.key");

	(void)state;
	assert_string_equal(c.topic, "com.example.mail");
	assert_int_equal(c.topic_count, 2);
	credential_done(&c);
}

static void topic_without_extension_is_the_uid(void **state)
{
	struct credential c = loaded("uid.pem", "leaf.key");

	(void)state;
	assert_string_equal(c.topic, "com.example.mail");
	assert_int_equal(c.topic_count, 1);
	credential_done(&c);
}

static void team_id_is_no_topic(void **state)
{
	struct credential c = loaded("team.pem", "leaf.key");

	(void)state;
	assert_null(c.topic);
	assert_int_equal(c.topic_count, 0);
	credential_done(&c);
}

static void broken_extension_is_left_out(void **state)
{
	static const char *const names[] = { "nested.pem", "cut.pem",
		                             "long.pem" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct credential c = loaded(names[i], "leaf.key");

		assert_int_equal(c.topic_count, 1);
		assert_string_equal(c.topic, "com.example.uid");
		credential_done(&c);
	}
}

/* count_of tells how often |needle| is in |b|. */
static size_t count_of(const struct buf *b, const char *needle)
{
	const char *at = b->data;
	size_t count = 0;

	while ((at = memmem(at, b->len - (size_t)(at - b->data), needle,
	                    strlen(needle))) != NULL) {
		at++;
		count++;
	}
	return count;
}

static void leaf_is_the_one_of_the_key_wherever_it_stands(void **state)
{
	struct credential c = loaded("all.pem", NULL);
	struct credential alone = loaded("apple.pem", "leaf.key");

	(void)state;
	assert_string_equal(c.topic, "com.example.mail");
	/* Leaf and CA, in that order; the other's certificate is not sent. */
	assert_int_equal(count_of(&c.certificate, "BEGIN CERTIFICATE"), 2);
	assert_int_equal(count_of(&c.certificate, "PRIVATE"), 0);
	assert_int_equal(count_of(&c.key, "CERTIFICATE"), 0);
	assert_true(str_starts(buf_str(&c.certificate),
	                       buf_str(&alone.certificate)));
	assert_true(str_eq(buf_str(&c.key), buf_str(&alone.key)));
	credential_done(&c);
	credential_done(&alone);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *certificate;
		const char *key;
		int rc;
		const char *file; /* which is named */
		const char *says;
	} cases[] = {
		{ "apple.pem", "other.key", ERR_INVALID, "other.key",
		  "does not match the certificate" },
		{ "apple.pem", NULL, ERR_INVALID, "apple.pem",
		  "no private key" },
		{ "leaf.key", NULL, ERR_INVALID, "leaf.key", "no certificate" },
		{ "garbage.pem", "leaf.key", ERR_INVALID, "garbage.pem",
		  "no certificate" },
		{ "empty.pem", "leaf.key", ERR_INVALID, "empty.pem",
		  "no certificate" },
		{ "apple.pem", "empty.pem", ERR_INVALID, "empty.pem",
		  "no private key" },
		{ "damaged.pem", "leaf.key", ERR_INVALID, "damaged.pem",
		  "certificate 1 is damaged" },
		{ "half-damaged.pem", "leaf.key", ERR_INVALID,
		  "half-damaged.pem", "certificate 2 is damaged" },
		{ "apple.pem", "damaged.key", ERR_INVALID, "damaged.key",
		  "the private key is damaged" },
		{ "apple.pem", "encrypted.key", ERR_INVALID, "encrypted.key",
		  "encrypted" },
		{ "apple.pem", "old-encrypted.key", ERR_INVALID,
		  "old-encrypted.key", "encrypted" },
		{ "apple.p12", NULL, ERR_INVALID, "apple.p12",
		  "PKCS#12 is not built yet" },
		{ "apple.pem", "apple.p12", ERR_INVALID, "apple.p12",
		  "PKCS#12" },
		{ "sha1.pem", "leaf.key", ERR_INVALID, "sha1.pem", "SHA-1" },
		{ "small.pem", "small.key", ERR_INVALID, "small.pem",
		  "too short" },
		{ "none.pem", "leaf.key", ERR_NOT_FOUND, "none.pem",
		  "No such file" },
		{ "apple.pem", "none.key", ERR_NOT_FOUND, "none.key",
		  "No such file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_detail detail;
		struct credential c = { .topic_count = 4711 };

		print_message("%s\n", cases[i].says);
		assert_int_equal(
			load(cases[i].certificate, cases[i].key, &c, &detail),
			cases[i].rc);
		assert_non_null(strstr(detail.text, cases[i].file));
		if (strstr(detail.text, cases[i].says) == NULL)
			fail_msg("%s", detail.text);
		assert_int_equal(c.topic_count, 4711);
	}
}

/* warning is what is said |at_ms| after the certificate became valid. */
static const char *warning(const char *certificate, const char *key,
                           int64_t at_ms)
{
	static struct err_detail detail;
	struct credential c = loaded(certificate, key);

	detail.text[0] = '\0';
	if (!credential_warning(&c, c.not_before_ms + at_ms, &detail))
		assert_string_equal(detail.text, "");
	credential_done(&c);
	return detail.text;
}

static void good_certificate_needs_no_warning(void **state)
{
	(void)state;
	assert_string_equal(warning("apple.pem", "leaf.key", 0), "");
	assert_string_equal(warning("apple.pem", "leaf.key", 334 * DAY_MS), "");
	assert_string_equal(warning("uid.pem", "leaf.key", DAY_MS), "");
}

static void dates_are_warned_of(void **state)
{
	(void)state;
	assert_non_null(strstr(warning("apple.pem", "leaf.key", -1),
	                       "is not valid before 20"));
	assert_non_null(strstr(warning("apple.pem", "leaf.key", 335 * DAY_MS),
	                       "expires on 20"));
	assert_non_null(
		strstr(warning("apple.pem", "leaf.key", 365 * DAY_MS + 1),
	               "has expired on 20"));
}

static void unusual_kinds_are_warned_of(void **state)
{
	(void)state;
	assert_string_equal(warning("self.pem", "leaf.key", DAY_MS),
	                    "the APNs certificate is self-signed; the APNs "
	                    "certificate lacks Apple's extensions");
	assert_non_null(strstr(warning("development.pem", "leaf.key", DAY_MS),
	                       "development environment"));
	assert_string_equal(warning("exposed.pem", NULL, DAY_MS),
	                    "every user of this machine can read the APNs key");
}

static int make_files(void **state)
{
	char script[] = CREDENTIALS_SH;
	char *argv[] = { script, dir, NULL };
	int status;
	pid_t pid;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	if (posix_spawn(&pid, script, NULL, NULL, argv, environ) != 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int remove_files(void **state)
{
	char rm[] = "/bin/rm";
	char flag[] = "-rf";
	char *argv[] = { rm, flag, dir, NULL };
	int status;
	pid_t pid;

	(void)state;
	if (posix_spawn(&pid, rm, NULL, NULL, argv, environ) != 0)
		return -1;
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_come_from_uid_and_extension),
		cmocka_unit_test(topic_without_uid_is_the_first_listed),
		cmocka_unit_test(topic_without_extension_is_the_uid),
		cmocka_unit_test(team_id_is_no_topic),
		cmocka_unit_test(broken_extension_is_left_out),
		cmocka_unit_test(leaf_is_the_one_of_the_key_wherever_it_stands),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(good_certificate_needs_no_warning),
		cmocka_unit_test(dates_are_warned_of),
		cmocka_unit_test(unusual_kinds_are_warned_of),
	};

	return cmocka_run_group_tests_name("credential", tests, make_files,
	                                   remove_files);
}
