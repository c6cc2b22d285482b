/* SPDX-License-Identifier: ISC */
/* The key file, and what opens under which key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "push/seal.h"
#include "store/teststore.h"
#include "unit/unit.h"

enum { BLOB_MAX = 64 * 1024, PATH_MAX_LEN = 100 };

struct fixture {
	struct testdir dir;
	char path[PATH_MAX_LEN];
	struct seal *seal;
	struct imap_login login;
	struct buf blob;
	struct err_detail why;
};

static void make_login(struct imap_login *l, struct str password)
{
	*l = (struct imap_login){ .method = IMAP_LOGIN_PLAIN,
		                  .user = str_dup(STR("Anna")),
		                  .authzid = str_dup(STR("")),
		                  .password = secret_new(password) };
	assert_non_null(l->password);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	testdir_init(&f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/seal.key", f->dir.path);
	make_login(&f->login, STR("pass\0word"));
	buf_init(&f->blob, BLOB_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	seal_free(&f->seal);
	imap_login_done(&f->login);
	buf_reset(&f->blob);
	testdir_done(&f->dir);
	free(f);
	return 0;
}

/* write_file makes the key file of |text| with |mode|. */
static void write_file(const struct fixture *f, struct str text, mode_t mode)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
	assert_ok(fclose(file));
	assert_ok(chmod(f->path, mode));
}

static void load(struct fixture *f, bool create)
{
	assert_ok(seal_load(NULL, f->path, create, &f->seal, &f->why));
	assert_non_null(f->seal);
}

/* load_fails wants |rc| and a sentence that names the file and |word|. */
static void load_fails(struct fixture *f, bool create, int rc, const char *word)
{
	f->why.text[0] = '\0';
	assert_int_equal(seal_load(NULL, f->path, create, &f->seal, &f->why),
	                 rc);
	assert_null(f->seal);
	assert_non_null(strstr(f->why.text, f->path));
	assert_non_null(strstr(f->why.text, word));
}

static void seal_it(struct fixture *f)
{
	buf_clear(&f->blob);
	assert_ok(seal_close(f->seal, STR("anna"), &f->login, &f->blob));
}

/* opens wants |blob| to hold the fixture's login. */
static void opens(const struct fixture *f, struct str user, struct str blob)
{
	struct imap_login l = { 0 };

	assert_ok(seal_open(f->seal, user, blob, &l));
	assert_int_equal(l.method, f->login.method);
	assert_true(str_eq(l.user, f->login.user));
	assert_true(str_eq(l.authzid, f->login.authzid));
	assert_true(secret_eq(l.password, f->login.password));
	imap_login_done(&l);
}

static void does_not_open(const struct fixture *f, struct str user,
                          struct str blob)
{
	struct imap_login l = { 0 };

	assert_int_equal(seal_open(f->seal, user, blob, &l), ERR_AUTH);
	assert_null(l.password);
}

/* 32 octets: 0 to 31, and the same with another last one. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHiA="

/* The file. */

static void key_is_created_once_for_the_owner_alone(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0);
	struct buf first;
	struct buf again;
	struct stat st;

	load(f, true);
	(void)umask(old);
	assert_ok(stat(f->path, &st));
	assert_int_equal(st.st_mode & 07777, 0600);
	buf_init(&first, BLOB_MAX);
	buf_init(&again, BLOB_MAX);
	assert_ok(file_read(f->path, &first, NULL));
	assert_int_equal(first.len, 45);
	seal_it(f);
	seal_free(&f->seal);
	load(f, true);
	assert_ok(file_read(f->path, &again, NULL));
	assert_true(str_eq(buf_str(&first), buf_str(&again)));
	opens(f, STR("anna"), buf_str(&f->blob));
	assert_int_equal(testdir_count(&f->dir, ""), 1); /* no draft */
	buf_reset(&first);
	buf_reset(&again);
}

static void keys_that_are_created_differ(void **state)
{
	struct fixture *f = *state;

	load(f, true);
	seal_it(f);
	seal_free(&f->seal);
	assert_ok(unlink(f->path));
	load(f, true);
	does_not_open(f, STR("anna"), buf_str(&f->blob));
}

static void start_that_was_cut_short_does_not_stop_the_next(void **state)
{
	struct fixture *f = *state;
	char draft[PATH_MAX_LEN + 4];

	write_file(f, STR("AAEC"), 0600);
	(void)snprintf(draft, sizeof(draft), "%s.new", f->path);
	assert_ok(rename(f->path, draft));
	load(f, true);
	assert_int_equal(testdir_count(&f->dir, ""), 1);
}

static void absent_key_is_made_only_when_asked(void **state)
{
	struct fixture *f = *state;

	load_fails(f, false, ERR_NOT_FOUND, "No such file");
	assert_int_equal(testdir_count(&f->dir, ""), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s/no/seal.key", f->dir.path);
	load_fails(f, true, ERR_NOT_FOUND, "No such file");
}

static void key_that_others_can_read_is_refused(void **state)
{
	static const mode_t modes[] = {
		0640, 0604, 0610, 0601, 0620, 0660, 0644
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char mode[32];

		(void)snprintf(mode, sizeof(mode), "mode %04o",
		               (unsigned int)modes[i]);
		write_file(f, STR(KEY "\n"), modes[i]);
		load_fails(f, true, ERR_INVALID, mode);
	}
	write_file(f, STR(KEY "\n"), 0400);
	load(f, false);
}

static void content_that_is_no_key_is_named_and_left(void **state)
{
	static const char *const contents[] = {
		"",
		"\n",
		"secret\n",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n", /* 31 */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n", /* 33 */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
		" " KEY "\n",
		KEY "\n\n",
		KEY "\n" KEY "\n",
		KEY " # the key\n",
	};
	struct fixture *f = *state;
	struct buf left;

	buf_init(&left, BLOB_MAX);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		write_file(f, str_of(contents[i]), 0600);
		load_fails(f, true, ERR_INVALID, "base64");
		buf_clear(&left);
		assert_ok(file_read(f->path, &left, NULL));
		assert_str(buf_str(&left), contents[i]);
	}
	buf_reset(&left);
}

static void line_end_of_the_key_does_not_matter(void **state)
{
	static const char *const contents[] = { KEY, KEY "\n", KEY "\r\n" };
	struct fixture *f = *state;

	write_file(f, STR(KEY "\n"), 0600);
	load(f, false);
	seal_it(f);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		seal_free(&f->seal);
		write_file(f, str_of(contents[i]), 0600);
		load(f, false);
		opens(f, STR("anna"), buf_str(&f->blob));
	}
}

static void folder_is_no_key(void **state)
{
	struct fixture *f = *state;

	assert_ok(mkdir(f->path, 0700));
	load_fails(f, true, ERR_INVALID, "not a file");
	assert_ok(rmdir(f->path));
}

/* Blobs. */

static void sealed_login_comes_back(void **state)
{
	struct fixture *f = *state;
	char name[IMAP_USER_MAX];
	char password[IMAP_PASSWORD_MAX];

	load(f, true);
	seal_it(f);
	opens(f, STR("anna"), buf_str(&f->blob));
	/* As long as a login may be. */
	imap_login_done(&f->login);
	memset(name, 'n', sizeof(name));
	memset(password, 0xff, sizeof(password));
	make_login(&f->login, str_new(password, sizeof(password)));
	str_free(&f->login.user);
	str_free(&f->login.authzid);
	f->login.user = str_dup(str_new(name, sizeof(name)));
	f->login.authzid = str_dup(str_new(name, sizeof(name)));
	f->login.method = IMAP_LOGIN_COMMAND;
	seal_it(f);
	opens(f, STR("anna"), buf_str(&f->blob));
	/* And with nothing in it. */
	imap_login_done(&f->login);
	make_login(&f->login, STR(""));
	seal_it(f);
	opens(f, STR("anna"), buf_str(&f->blob));
}

static void blob_is_bound_to_its_user(void **state)
{
	static const char *const others[] = { "bert", "",      "ann",
		                              "Anna", "anna ", "annaa" };
	struct fixture *f = *state;

	load(f, true);
	seal_it(f);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		does_not_open(f, str_of(others[i]), buf_str(&f->blob));
}

static void blob_of_another_key_does_not_open(void **state)
{
	struct fixture *f = *state;

	write_file(f, STR(KEY "\n"), 0600);
	load(f, false);
	seal_it(f);
	seal_free(&f->seal);
	write_file(f, STR(OTHER_KEY "\n"), 0600);
	load(f, false);
	does_not_open(f, STR("anna"), buf_str(&f->blob));
}

static void no_bit_of_a_blob_may_be_turned(void **state)
{
	struct fixture *f = *state;

	load(f, true);
	seal_it(f);
	for (size_t i = 0; i < f->blob.len * 8; i++) {
		char *byte = &f->blob.data[i / 8];
		char before = *byte;

		*byte = (char)(before ^ (1 << i % 8));
		does_not_open(f, STR("anna"), buf_str(&f->blob));
		*byte = before;
	}
	opens(f, STR("anna"), buf_str(&f->blob));
}

static void no_byte_of_a_blob_may_be_missing_or_too_many(void **state)
{
	struct fixture *f = *state;
	size_t len;

	load(f, true);
	seal_it(f);
	len = f->blob.len;
	for (size_t n = 0; n < len; n++) {
		does_not_open(f, STR("anna"), str_new(f->blob.data, n));
		does_not_open(f, STR("anna"),
		              str_new(f->blob.data + len - n, n));
	}
	assert_ok(buf_append(&f->blob, "", 1));
	does_not_open(f, STR("anna"), buf_str(&f->blob));
	for (int i = 0; i < 8000; i++)
		assert_ok(buf_append(&f->blob, "x", 1));
	does_not_open(f, STR("anna"), buf_str(&f->blob));
}

/* The same login sealed twice does not look the same, nor does it show. */
static void blob_tells_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf other;

	load(f, true);
	seal_it(f);
	buf_init(&other, BLOB_MAX);
	assert_ok(seal_close(f->seal, STR("anna"), &f->login, &other));
	assert_int_equal(other.len, f->blob.len);
	assert_false(str_eq(str_sub(buf_str(&other), 1, 12),
	                    str_sub(buf_str(&f->blob), 1, 12)));
	assert_false(str_eq(str_sub(buf_str(&other), 13, other.len),
	                    str_sub(buf_str(&f->blob), 13, other.len)));
	assert_null(memmem(f->blob.data, f->blob.len, "pass", 4));
	assert_null(memmem(f->blob.data, f->blob.len, "Anna", 4));
	buf_reset(&other);
}

static void what_is_too_long_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	char *long_password = xcalloc(1, 60000);
	struct buf small;

	load(f, true);
	buf_init(&small, 10);
	assert_ok(buf_adds(&small, "before"));
	assert_int_equal(seal_close(f->seal, STR("anna"), &f->login, &small),
	                 ERR_LIMIT);
	assert_str(buf_str(&small), "before");
	imap_login_done(&f->login);
	make_login(&f->login, str_new(long_password, 60000));
	assert_int_equal(seal_close(f->seal, STR("anna"), &f->login, &f->blob),
	                 ERR_LIMIT);
	assert_int_equal(f->blob.len, 0);
	buf_reset(&small);
	free(long_password);
}

/* Names alone. */

static void name_alone_comes_back_and_opens_nothing(void **state)
{
	struct fixture *f = *state;
	struct imap_login login = { 0 };
	struct str name;

	load(f, true);
	assert_ok(seal_name(STR("Anna"), &f->blob));
	assert_ok(seal_name_open(buf_str(&f->blob), &name));
	assert_str(name, "Anna");
	assert_int_equal(
		seal_open(f->seal, STR("anna"), buf_str(&f->blob), &login),
		ERR_AUTH);
	/* Nor is what is sealed a name. */
	buf_reset(&f->blob);
	seal_it(f);
	assert_int_equal(seal_name_open(buf_str(&f->blob), &name), ERR_AUTH);
	assert_int_equal(seal_name_open(STR(""), &name), ERR_AUTH);
	assert_int_equal(seal_name_open(str_new("\0", 1), &name), ERR_AUTH);
}

static void name_that_does_not_fit_is_refused_whole(void **state)
{
	struct buf small;

	(void)state;
	buf_init(&small, 4);
	assert_int_equal(seal_name(STR("Anna"), &small), ERR_LIMIT);
	assert_int_equal(small.len, 0);
	buf_reset(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(key_is_created_once_for_the_owner_alone),
		TEST(keys_that_are_created_differ),
		TEST(start_that_was_cut_short_does_not_stop_the_next),
		TEST(absent_key_is_made_only_when_asked),
		TEST(key_that_others_can_read_is_refused),
		TEST(content_that_is_no_key_is_named_and_left),
		TEST(line_end_of_the_key_does_not_matter),
		TEST(folder_is_no_key),
		TEST(sealed_login_comes_back),
		TEST(blob_is_bound_to_its_user),
		TEST(blob_of_another_key_does_not_open),
		TEST(no_bit_of_a_blob_may_be_turned),
		TEST(no_byte_of_a_blob_may_be_missing_or_too_many),
		TEST(blob_tells_nothing),
		TEST(what_is_too_long_is_refused_whole),
		TEST(name_alone_comes_back_and_opens_nothing),
		TEST(name_that_does_not_fit_is_refused_whole),
	};

	return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
