/* SPDX-License-Identifier: ISC */
/*
 * credential - the certificate with which imapbell speaks to APNs. Operators
 * get such files out of Apple's portal, a keychain or openssl, so whatever can
 * be wrong with them is said in words. Knows nothing of connections.
 */
#include "apns/credential.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apns/request.h"
#include "base/files.h"
#include "base/mem.h"
#include "net/certificate.h"

enum {
	FILE_MAX_BYTES = 1024 * 1024,
	CERTIFICATES_MAX = 64, /* read from one file */
	CHAIN_MAX = 8,
	TOPICS_MAX = 64,
	WARNING_DAYS = 30,
};

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* Apple's extensions: which environments, and all topics. */
static const char oid_development[] = "1.2.840.113635.100.6.3.1";
static const char oid_production[] = "1.2.840.113635.100.6.3.2";
static const char oid_topics[] = "1.2.840.113635.100.6.3.6";

/* What one load holds until it is done. */
struct load {
	const struct files *files;
	const char *certificate_path;
	const char *key_path;
	struct buf certificate_text;
	struct buf key_text;
	STACK_OF(X509) * certificates;
	EVP_PKEY *key;
	X509 *leaf; /* one of |certificates| */
	struct credential c;
};

static BIO *bio_of(const struct buf *b)
{
	return BIO_new_mem_buf(b->data == NULL ? "" : b->data, (int)b->len);
}

/* looks_like_p12: DER, which of all that can be named here is PKCS#12. */
static bool looks_like_p12(const struct buf *b)
{
	return b->len >= 2 && (unsigned char)b->data[0] == 0x30 &&
	       (unsigned char)b->data[1] >= 0x80;
}

static int read_file(const struct load *l, const char *path, struct buf *out,
                     struct err_detail *detail)
{
	int rc = files_read(l->files, path, out, detail);

	if (rc != 0)
		return rc;
	if (looks_like_p12(out))
		return err_set(detail, ERR_INVALID,
		               "%s: PKCS#12 is not built yet; make a PEM file "
		               "with: openssl pkcs12 -legacy -nodes -in FILE "
		               "-out FILE.pem",
		               path);
	return 0;
}

static int read_certificates(struct load *l, struct err_detail *detail)
{
	BIO *bio = bio_of(&l->certificate_text);
	unsigned long code = 0;
	int rc = 0;

	l->certificates = sk_X509_new_null();
	if (bio == NULL || l->certificates == NULL)
		abort();
	for (;;) {
		X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

		if (x == NULL)
			break;
		if (sk_X509_num(l->certificates) >= CERTIFICATES_MAX ||
		    sk_X509_push(l->certificates, x) <= 0) {
			X509_free(x);
			rc = err_set(detail, ERR_INVALID,
			             "%s: more than %d certificates",
			             l->certificate_path, CERTIFICATES_MAX);
			break;
		}
	}
	code = ERR_peek_last_error();
	BIO_free(bio);
	if (rc != 0)
		return rc;
	/* "No start line" is how OpenSSL says: that was the last one. */
	if (ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return err_set(
			detail, ERR_INVALID, "%s: certificate %d is damaged",
			l->certificate_path, sk_X509_num(l->certificates) + 1);
	if (sk_X509_num(l->certificates) == 0)
		return err_set(detail, ERR_INVALID, "%s: no certificate in it",
		               l->certificate_path);
	return 0;
}

/* OpenSSL asks for a password only if the key is encrypted. */
static int on_password(char *out, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)writing;
	if (size > 0)
		out[0] = '\0';
	*asked = true;
	return -1;
}

static int read_key(struct load *l, struct err_detail *detail)
{
	const struct buf *text = l->key_path == l->certificate_path
	                                 ? &l->certificate_text
	                                 : &l->key_text;
	static const char end[] = "PRIVATE KEY-----";
	bool asked = false;
	BIO *bio = bio_of(text);

	if (bio == NULL)
		abort();
	l->key = PEM_read_bio_PrivateKey(bio, NULL, on_password, &asked);
	BIO_free(bio);
	if (l->key != NULL)
		return 0;
	if (asked)
		return err_set(detail, ERR_INVALID,
		               "%s: the key is encrypted; take the password "
		               "off with: openssl pkey -in FILE -out FILE.key",
		               l->key_path);
	/* OpenSSL's own word for it depends on the decoders it tried. */
	if (text->len == 0 ||
	    memmem(text->data, text->len, end, sizeof(end) - 1) == NULL)
		return err_set(detail, ERR_INVALID, "%s: no private key in it",
		               l->key_path);
	return err_set(detail, ERR_INVALID, "%s: the private key is damaged",
	               l->key_path);
}

static int find_leaf(struct load *l, struct err_detail *detail)
{
	for (int i = 0; i < sk_X509_num(l->certificates); i++) {
		X509 *x = sk_X509_value(l->certificates, i);

		if (X509_check_private_key(x, l->key) == 1) {
			l->leaf = x;
			return 0;
		}
	}
	return err_set(detail, ERR_INVALID,
	               "%s: the key does not match %s of %s", l->key_path,
	               sk_X509_num(l->certificates) == 1 ? "the certificate"
	                                                 : "any certificate",
	               l->certificate_path);
}

/* check_strength has OpenSSL take the pair as a connection would: it refuses
 * by the security level that the system sets. */
static int check_strength(struct load *l, struct err_detail *detail)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const char *what = "OpenSSL does not take the certificate";
	int reason;
	bool ok;

	if (ctx == NULL)
		abort();
	ERR_clear_error();
	ok = SSL_CTX_use_certificate(ctx, l->leaf) == 1 &&
	     SSL_CTX_use_PrivateKey(ctx, l->key) == 1;
	reason = ERR_GET_REASON(ERR_peek_last_error());
	SSL_CTX_free(ctx);
	if (ok)
		return 0;
	if (reason == SSL_R_CA_MD_TOO_WEAK)
		what = "the certificate is signed with a weak hash (SHA-1?), "
		       "which this machine's OpenSSL refuses";
	else if (reason == SSL_R_EE_KEY_TOO_SMALL)
		what = "the key is too short, this machine's OpenSSL refuses "
		       "it";
	return err_set(detail, ERR_INVALID, "%s: %s", l->certificate_path,
	               what);
}

/* issuer_of finds the certificate that issued |x| among the others, or NULL. */
static X509 *issuer_of(const struct load *l, X509 *x)
{
	for (int i = 0; i < sk_X509_num(l->certificates); i++) {
		X509 *issuer = sk_X509_value(l->certificates, i);

		if (issuer != x && X509_check_issued(issuer, x) == X509_V_OK)
			return issuer;
	}
	return NULL;
}

/* keep moves what was written to |bio| to |out|. */
static int keep(BIO *bio, struct buf *out)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	buf_init(out, FILE_MAX_BYTES);
	return len > 0 ? buf_append(out, data, (size_t)len) : ERR_INVALID;
}

/* keep_pem writes leaf, chain and key as one would expect to find them. */
static int keep_pem(struct load *l, struct err_detail *detail)
{
	BIO *certificate = BIO_new(BIO_s_mem());
	BIO *key = BIO_new(BIO_s_secmem()); /* wiped when freed */
	X509 *x = l->leaf;
	int rc = ERR_INVALID;
	bool ok = true;

	if (certificate == NULL || key == NULL)
		abort();
	for (int i = 0; ok && x != NULL && i < CHAIN_MAX; i++) {
		ok = PEM_write_bio_X509(certificate, x) == 1;
		x = issuer_of(l, x);
	}
	if (ok && PEM_write_bio_PKCS8PrivateKey(key, l->key, NULL, NULL, 0,
	                                        NULL, NULL) == 1)
		rc = keep(certificate, &l->c.certificate);
	if (rc == 0)
		rc = keep(key, &l->c.key);
	BIO_free(certificate);
	BIO_free(key);
	if (rc != 0)
		return err_set(detail, ERR_INVALID, "%s: cannot be encoded",
		               l->certificate_path);
	return 0;
}

static bool has_topic(const struct credential *c, struct str topic)
{
	for (size_t i = 0; i < c->topic_count; i++)
		if (str_eq(str_of(c->topics[i]), topic))
			return true;
	return false;
}

/* add_topic adds a string of the certificate if it may be one; what Apple did
 * not put there (a team's id has no dot) is of no use. */
static void add_topic(struct credential *c, const ASN1_STRING *s)
{
	struct str topic = str_new(ASN1_STRING_get0_data(s),
	                           (size_t)ASN1_STRING_length(s));
	struct str copy;

	if (!apns_topic_is_valid(topic) || str_find(topic, '.') == SIZE_MAX ||
	    c->topic_count >= TOPICS_MAX || has_topic(c, topic))
		return;
	copy = str_dup(topic);
	c->topics = xrealloc(c->topics, c->topic_count + 1, sizeof(char *));
	c->topics[c->topic_count++] = xstrdup(copy.data);
	str_free(&copy);
}

static void add_subject_topics(struct credential *c, X509 *leaf)
{
	const X509_NAME *name = X509_get_subject_name(leaf);
	int i = -1;

	while ((i = X509_NAME_get_index_by_NID(name, NID_userId, i)) >= 0)
		add_topic(c, X509_NAME_ENTRY_get_data(
				     X509_NAME_get_entry(name, i)));
}

/* extension_of finds the extension |oid| of |x|, or NULL; borrowed. */
static X509_EXTENSION *extension_of(X509 *x, const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *found = NULL;
	int i;

	if (object == NULL)
		abort();
	i = X509_get_ext_by_OBJ(x, object, -1);
	if (i >= 0)
		found = X509_get_ext(x, i);
	ASN1_OBJECT_free(object);
	return found;
}

/*
 * add_listed_topics reads extension 1.2.840.113635.100.6.3.6: SEQUENCE of
 * (UTF8String topic, SEQUENCE { UTF8String kind }) again and again. Only the
 * strings on the first level are topics.
 */
static void add_listed_topics(struct credential *c, X509 *leaf)
{
	X509_EXTENSION *extension = extension_of(leaf, oid_topics);
	const ASN1_OCTET_STRING *value;
	const unsigned char *der;
	ASN1_SEQUENCE_ANY *list;

	if (extension == NULL)
		return;
	value = X509_EXTENSION_get_data(extension);
	der = ASN1_STRING_get0_data(value);
	list = d2i_ASN1_SEQUENCE_ANY(NULL, &der, ASN1_STRING_length(value));
	if (list == NULL)
		return;
	for (int i = 0; i < sk_ASN1_TYPE_num(list); i++) {
		const ASN1_TYPE *item = sk_ASN1_TYPE_value(list, i);

		if (item->type == V_ASN1_UTF8STRING)
			add_topic(c, item->value.utf8string);
	}
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}

static int time_ms(const ASN1_TIME *t, int64_t *ms_r)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return ERR_PARSE;
	*ms_r = (int64_t)timegm(&tm) * 1000;
	return 0;
}

static int describe(struct load *l, struct err_detail *detail)
{
	struct credential *c = &l->c;

	add_subject_topics(c, l->leaf);
	add_listed_topics(c, l->leaf);
	if (c->topic_count > 0)
		c->topic = xstrdup(c->topics[0]);
	c->key_exposed = files_is_exposed(l->files, l->key_path);
	if (time_ms(X509_get0_notBefore(l->leaf), &c->not_before_ms) != 0 ||
	    time_ms(X509_get0_notAfter(l->leaf), &c->not_after_ms) != 0)
		return err_set(detail, ERR_INVALID,
		               "%s: the certificate's dates are damaged",
		               l->certificate_path);
	return 0;
}

static int load_files(struct load *l, struct err_detail *detail)
{
	int rc =
		read_file(l, l->certificate_path, &l->certificate_text, detail);

	if (rc == 0 && l->key_path != l->certificate_path)
		rc = read_file(l, l->key_path, &l->key_text, detail);
	if (rc == 0)
		rc = read_certificates(l, detail);
	if (rc == 0)
		rc = read_key(l, detail);
	if (rc == 0)
		rc = find_leaf(l, detail);
	if (rc == 0)
		rc = check_strength(l, detail);
	if (rc == 0)
		rc = keep_pem(l, detail);
	if (rc == 0)
		rc = describe(l, detail);
	return rc;
}

int credential_load(const struct files *f, const char *certificate_path,
                    const char *key_path, struct credential *c_r,
                    struct err_detail *detail)
{
	struct load l = {
		.files = f,
		.certificate_path = certificate_path,
		.key_path = key_path == NULL ? certificate_path : key_path,
	};
	int rc;

	buf_init(&l.certificate_text, FILE_MAX_BYTES);
	buf_init(&l.key_text, FILE_MAX_BYTES);
	rc = load_files(&l, detail);
	if (rc == 0)
		*c_r = l.c;
	else
		credential_done(&l.c);
	sk_X509_pop_free(l.certificates, X509_free);
	EVP_PKEY_free(l.key);
	buf_reset(&l.certificate_text);
	buf_reset(&l.key_text);
	ERR_clear_error();
	return rc;
}

void credential_done(struct credential *c)
{
	buf_reset(&c->certificate);
	buf_reset(&c->key);
	for (size_t i = 0; i < c->topic_count; i++)
		free(c->topics[i]);
	free(c->topics);
	free(c->topic);
	memset(c, 0, sizeof(*c));
}

/* A sentence that grows by clauses. */
struct sentence {
	char text[sizeof(((struct err_detail *)NULL)->text)];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *s,
                                                      const char *fmt, ...)
{
	struct str clause;
	char text[128];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	clause = str_of(text);
	if (clause.len + 3 > sizeof(s->text) - s->len)
		return;
	if (s->len > 0) {
		memcpy(s->text + s->len, "; ", 2);
		s->len += 2;
	}
	memcpy(s->text + s->len, clause.data, clause.len);
	s->len += clause.len;
}

static void say_dates(struct sentence *s, const struct credential *c,
                      int64_t now_ms)
{
	char day[16];

	if (now_ms > c->not_after_ms)
		say(s, "the APNs certificate has expired on %s",
		    certificate_day(c->not_after_ms, day));
	else if (now_ms < c->not_before_ms)
		say(s, "the APNs certificate is not valid before %s",
		    certificate_day(c->not_before_ms, day));
	else if (c->not_after_ms - now_ms <= WARNING_DAYS * DAY_MS)
		say(s, "the APNs certificate expires on %s",
		    certificate_day(c->not_after_ms, day));
}

static void say_kind(struct sentence *s, X509 *leaf)
{
	bool development = extension_of(leaf, oid_development) != NULL;
	bool production = extension_of(leaf, oid_production) != NULL;

	if ((X509_get_extension_flags(leaf) & EXFLAG_SS) != 0)
		say(s, "the APNs certificate is self-signed");
	if (development && !production)
		say(s, "the APNs certificate is for the development "
		       "environment, Mail uses production");
	else if (!production && extension_of(leaf, oid_topics) == NULL)
		say(s, "the APNs certificate lacks Apple's extensions");
}

bool credential_warning(const struct credential *c, int64_t now_ms,
                        struct err_detail *detail)
{
	struct sentence s = { { 0 }, 0 };
	BIO *bio = bio_of(&c->certificate);
	X509 *leaf = NULL;

	if (bio != NULL)
		leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	say_dates(&s, c, now_ms);
	if (leaf != NULL)
		say_kind(&s, leaf);
	if (c->key_exposed)
		say(&s, "every user of this machine can read the APNs key");
	X509_free(leaf);
	ERR_clear_error();
	if (s.len == 0)
		return false;
	(void)err_set(detail, 0, "%s", s.text);
	return true;
}
