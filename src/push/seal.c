/* SPDX-License-Identifier: ISC */
/*
 * seal - AES-256-GCM (NIST SP 800-38D) with a random nonce for each blob:
 *
 *	blob  = version (1) nonce (12) ciphertext tag (16)
 *	      / name-version (1) name
 *	plain = method (1) user-length (2, big endian) user
 *	        authzid-length (2) authzid password
 *
 * The version and the name of the user are the additional data. Random nonces
 * are good for 2^32 blobs under one key; a user's login is sealed when the
 * password changes.
 */
#include "push/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/rand.h"

enum {
	KEY_BYTES = 32,
	KEY_FILE_MAX = 128, /* 44 digits and a line end, generously */
	NONCE_BYTES = 12,
	TAG_BYTES = 16,
	NAME_VERSION = 0,
	VERSION = 1,
	HEAD_BYTES = 1 + NONCE_BYTES,
	PLAIN_MAX = 5 + 2 * IMAP_USER_MAX + IMAP_PASSWORD_MAX,
};

struct seal {
	struct secret *key;
};

/* The key file. */

/* fail_system explains errno for |path|. */
static int fail_system(const char *path, int error, struct err_detail *detail)
{
	int rc = ERR_IO;

	if (error == ENOENT)
		rc = ERR_NOT_FOUND;
	else if (error == EACCES || error == EPERM || error == EROFS)
		rc = ERR_PERMISSION;
	return err_set(detail, rc, "%s: %s", path, strerror(error));
}

/* check_mode refuses a key that others could have read. */
static int check_mode(const struct files *f, const char *path,
                      struct err_detail *detail)
{
	uint32_t mode;
	int rc = files_mode(f, path, &mode, detail);

	if (rc != ERR_OK)
		return rc;
	if (!S_ISREG(mode))
		return err_set(detail, ERR_INVALID, "%s: not a file", path);
	if ((mode & 077) != 0)
		return err_set(
			detail, ERR_INVALID,
			"%s: mode %04o, others can read it: must be 0600", path,
			(unsigned int)mode & 07777);
	return ERR_OK;
}

/* parse_key reads the base64 of |text|, a line. */
static int parse_key(struct str text, struct secret **key_r)
{
	struct buf key;
	int rc;

	if (str_ends(text, STR("\n")))
		text.len--;
	if (str_ends(text, STR("\r")))
		text.len--;
	buf_init(&key, KEY_FILE_MAX);
	rc = codec_unbase64(text, &key);
	if (rc == ERR_OK && key.len != KEY_BYTES)
		rc = ERR_PARSE;
	if (rc == ERR_OK)
		*key_r = secret_new(buf_str(&key));
	buf_reset(&key);
	return rc;
}

static int read_key(const struct files *f, const char *path,
                    struct secret **key_r, struct err_detail *detail)
{
	char text[KEY_FILE_MAX];
	size_t len;
	int rc = check_mode(f, path, detail);

	if (rc == ERR_OK)
		rc = files_read_head(f, path, text, sizeof(text), &len, detail);
	if (rc == ERR_OK && parse_key(str_new(text, len), key_r) != ERR_OK)
		rc = err_set(detail, ERR_INVALID,
		             "%s: not the base64 of 32 octets", path);
	mem_wipe(text, sizeof(text));
	return rc;
}

/* write_all writes |text| and waits until it is on disk. 0, or errno. */
static int write_all(int fd, struct str text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		(void)str_take(&text, (size_t)n);
	}
	return fsync(fd) != 0 ? errno : 0;
}

/* sync_folder makes the name of |path| survive a crash. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash != NULL ? strndup(path, (size_t)(slash - path) + 1)
	                             : xstrdup(".");
	int fd = folder != NULL
	                 ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
	                 : -1;

	if (fd >= 0) {
		(void)fsync(fd); /* not every file system can */
		close(fd);
	}
	free(folder);
}

/* write_new writes |text| to the new file |path|. 0, or errno. */
static int write_new(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
	              0600);
	int error;

	if (fd < 0)
		return errno;
	error = write_all(fd, text);
	if (close(fd) != 0 && error == 0)
		error = errno;
	return error;
}

/*
 * install writes the file beside its name and links it there, so that nobody
 * ever sees half a key, and never in the place of another. 0, or errno.
 */
static int install(const char *path, struct str text)
{
	char *draft = NULL;
	int error;

	if (asprintf(&draft, "%s.new", path) < 0)
		abort();
	(void)unlink(draft); /* of a start that was cut short */
	error = write_new(draft, text);
	if (error == 0 && link(draft, path) != 0)
		error = errno;
	/* Not every file system knows links. */
	if ((error == EPERM || error == ENOTSUP) && access(path, F_OK) != 0)
		error = rename(draft, path) != 0 ? errno : 0;
	(void)unlink(draft);
	free(draft);
	sync_folder(path);
	return error;
}

/* create_key makes the file, unless it is there by now. */
static int create_key(const char *path, struct err_detail *detail)
{
	struct buf text;
	char key[KEY_BYTES];
	int error;

	rand_bytes(key, sizeof(key));
	buf_init(&text, KEY_FILE_MAX);
	/* 45 characters: the ceiling is far. */
	error = codec_base64(str_new(key, sizeof(key)), &text) == ERR_OK &&
	                        buf_adds(&text, "\n") == ERR_OK
	                ? install(path, buf_str(&text))
	                : ENOSPC;
	buf_reset(&text);
	mem_wipe(key, sizeof(key));
	if (error != 0 && error != EEXIST)
		return fail_system(path, error, detail);
	return ERR_OK;
}

int seal_load(const struct files *f, const char *path, bool create,
              struct seal **s_r, struct err_detail *detail)
{
	struct secret *key = NULL;
	int rc;

	rc = read_key(f, path, &key, detail);
	if (rc == ERR_NOT_FOUND && create) {
		rc = create_key(path, detail);
		if (rc == ERR_OK)
			rc = read_key(f, path, &key, detail);
	}
	if (rc != ERR_OK)
		return rc;
	*s_r = xcalloc(1, sizeof(**s_r));
	(*s_r)->key = key;
	return ERR_OK;
}

void seal_free(struct seal **s)
{
	if (*s == NULL)
		return;
	secret_free(&(*s)->key);
	free(*s);
	*s = NULL;
}

/* Blobs. */

static const unsigned char *bytes(struct str s)
{
	return (const unsigned char *)s.data;
}

/* begin starts a cipher, in |encrypt| or the other direction, and gives it the
 * additional data. */
static EVP_CIPHER_CTX *begin(const struct seal *s, bool encrypt,
                             const unsigned char *nonce, struct str user)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const unsigned char version = VERSION;
	int len;

	if (ctx == NULL || user.len > INT_MAX ||
	    EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL,
	                      bytes(secret_str(s->key)), nonce, encrypt) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &len, &version, 1) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &len, bytes(user), (int)user.len) !=
	            1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static int add_part(struct buf *out, struct str part)
{
	const unsigned char len[] = { (unsigned char)(part.len >> 8),
		                      (unsigned char)part.len };
	int rc;

	if (part.len > UINT16_MAX)
		return ERR_LIMIT;
	rc = buf_append(out, len, sizeof(len));
	return rc == ERR_OK ? buf_add(out, part) : rc;
}

/* make_plain appends what is to be sealed. */
static int make_plain(const struct imap_login *login, struct buf *out)
{
	const unsigned char method = (unsigned char)login->method;
	int rc;

	rc = buf_append(out, &method, 1);
	if (rc == ERR_OK)
		rc = add_part(out, login->user);
	if (rc == ERR_OK)
		rc = add_part(out, login->authzid);
	if (rc == ERR_OK)
		rc = buf_add(out, secret_str(login->password));
	return rc;
}

/* encrypt writes |plain|.len bytes and the tag. False: OpenSSL refused. */
static bool encrypt(const struct seal *s, struct str user, struct str plain,
                    unsigned char *nonce, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = begin(s, true, nonce, user);
	int len = 0;
	bool ok;

	if (ctx == NULL)
		return false;
	ok = EVP_CipherUpdate(ctx, out, &len, bytes(plain), (int)plain.len) ==
	             1 &&
	     EVP_CipherFinal_ex(ctx, out + len, &len) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
	                         out + plain.len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

int seal_close(const struct seal *s, struct str user,
               const struct imap_login *login, struct buf *out)
{
	unsigned char blob[HEAD_BYTES + PLAIN_MAX + TAG_BYTES];
	struct buf plain;
	int rc;

	buf_init(&plain, PLAIN_MAX);
	rc = make_plain(login, &plain);
	if (rc != ERR_OK)
		goto out;
	blob[0] = VERSION;
	rand_bytes(blob + 1, NONCE_BYTES);
	if (!encrypt(s, user, buf_str(&plain), blob + 1, blob + HEAD_BYTES))
		abort(); /* AES-256-GCM is there, or the key was never loaded */
	rc = buf_append(out, blob, HEAD_BYTES + plain.len + TAG_BYTES);
out:
	buf_reset(&plain);
	return rc;
}

/* decrypt writes |sealed|.len bytes. False: wrong key, user or bytes. */
static bool decrypt(const struct seal *s, struct str user,
                    const unsigned char *nonce, struct str sealed,
                    const unsigned char *tag, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = begin(s, false, nonce, user);
	unsigned char expected[TAG_BYTES];
	int len = 0;
	bool ok;

	if (ctx == NULL)
		return false;
	memcpy(expected, tag, TAG_BYTES); /* OpenSSL wants to write there */
	ok = EVP_CipherUpdate(ctx, out, &len, bytes(sealed), (int)sealed.len) ==
	             1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
	                         expected) == 1 &&
	     EVP_CipherFinal_ex(ctx, out + len, &len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* take_part moves a part with its length to |part_r|. */
static bool take_part(struct str *in, struct str *part_r)
{
	size_t len;

	if (in->len < 2)
		return false;
	len = (size_t)bytes(*in)[0] << 8 | bytes(*in)[1];
	if (len > in->len - 2)
		return false;
	(void)str_take(in, 2);
	*part_r = str_take(in, len);
	return true;
}

/* parse_plain makes a login of what was sealed. */
static int parse_plain(struct str plain, struct imap_login *l_r)
{
	struct str method = str_take(&plain, 1);
	struct str user;
	struct str authzid;

	if (method.len != 1 || bytes(method)[0] > IMAP_LOGIN_LOGIN ||
	    !take_part(&plain, &user) || !take_part(&plain, &authzid) ||
	    plain.len > IMAP_PASSWORD_MAX)
		return ERR_AUTH;
	l_r->method = (enum imap_login_method)bytes(method)[0];
	l_r->user = str_dup(user);
	l_r->authzid = str_dup(authzid);
	l_r->password = secret_new(plain);
	return ERR_OK;
}

int seal_open(const struct seal *s, struct str user, struct str blob,
              struct imap_login *l_r)
{
	unsigned char plain[PLAIN_MAX];
	const unsigned char *at = bytes(blob);
	struct str sealed;
	int rc = ERR_AUTH;

	if (blob.len < HEAD_BYTES + TAG_BYTES ||
	    blob.len > HEAD_BYTES + PLAIN_MAX + TAG_BYTES || at[0] != VERSION)
		return ERR_AUTH;
	sealed = str_sub(blob, HEAD_BYTES, blob.len - HEAD_BYTES - TAG_BYTES);
	if (decrypt(s, user, at + 1, sealed, at + blob.len - TAG_BYTES, plain))
		rc = parse_plain(str_new(plain, sealed.len), l_r);
	mem_wipe(plain, sizeof(plain));
	return rc;
}

int seal_name(struct str name, struct buf *out)
{
	const unsigned char version = NAME_VERSION;
	int rc;

	if (name.len >= out->max - out->len)
		return ERR_LIMIT;
	rc = buf_append(out, &version, 1);
	return rc == ERR_OK ? buf_add(out, name) : rc;
}

int seal_name_open(struct str blob, struct str *name_r)
{
	if (blob.len < 2 || bytes(blob)[0] != NAME_VERSION)
		return ERR_AUTH;
	*name_r = str_sub(blob, 1, blob.len);
	return ERR_OK;
}

void seal_digest(struct str key, const struct imap_login *login,
                 char digest_r[SEAL_DIGEST_BYTES])
{
	struct str password = secret_str(login->password);
	unsigned char out[SEAL_DIGEST_BYTES];
	unsigned int len = sizeof(out);
	struct buf text;

	/* No name holds a NUL. */
	buf_init(&text, IMAP_USER_MAX + 1 + IMAP_PASSWORD_MAX);
	if (buf_add(&text, login->user) != ERR_OK ||
	    buf_append(&text, "", 1) != ERR_OK ||
	    buf_add(&text, password) != ERR_OK ||
	    HMAC(EVP_sha256(), key.data, (int)key.len, bytes(buf_str(&text)),
	         text.len, out, &len) == NULL)
		abort();
	buf_reset(&text);
	memcpy(digest_r, out, sizeof(out));
}

bool seal_has_digest(struct str key, const struct imap_login *login,
                     struct str digest)
{
	char own[SEAL_DIGEST_BYTES];

	seal_digest(key, login, own);
	return digest.len == sizeof(own) &&
	       CRYPTO_memcmp(own, digest.data, sizeof(own)) == 0;
}
