/* SPDX-License-Identifier: ISC */
/* certificate - see certificate.h. RFC 5280 section 4.2.1.6: names are in the
 * extension subjectAltName; the subject's common name is for older ones. */
#include "net/certificate.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/address.h"

/* Behind the last name that fits; without the comma where none does. */
static const char dots[] = ", ...";

/* add_name appends |name| to the list, or |dots| when it does not fit. Returns
 * whether more names may. */
static bool add_name(struct buf *names, struct str name)
{
	struct log_text safe;
	size_t before = names->len;
	int rc = ERR_OK;

	if (before > 0)
		rc = buf_adds(names, ", ");
	if (rc == ERR_OK)
		rc = buf_adds(names, log_safe(name, &safe));
	if (rc == ERR_OK)
		return true;
	buf_cut(names, before);
	names->max += sizeof(dots) - 1; /* kept free for it */
	rc = buf_adds(names, before > 0 ? dots : dots + 2);
	assert(rc == ERR_OK);
	return false;
}

static struct str text_of(const ASN1_STRING *s)
{
	return str_new(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static bool add_address(struct buf *names, const ASN1_OCTET_STRING *bytes)
{
	int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
	char text[ADDRESS_TEXT_MAX];

	if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16)
		return true;
	(void)inet_ntop(family, ASN1_STRING_get0_data(bytes), text,
	                sizeof(text));
	return add_name(names, str_of(text));
}

static void add_alt_names(struct buf *names, X509 *x509)
{
	GENERAL_NAMES *list =
		X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	bool more = true;

	for (int i = 0; more && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);

		if (name->type == GEN_DNS)
			more = add_name(names, text_of(name->d.dNSName));
		else if (name->type == GEN_IPADD)
			more = add_address(names, name->d.iPAddress);
	}
	GENERAL_NAMES_free(list);
}

static void add_common_name(struct buf *names, X509 *x509)
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (i >= 0)
		(void)add_name(names,
		               text_of(X509_NAME_ENTRY_get_data(
				       X509_NAME_get_entry(subject, i))));
}

static void read_names(struct certificate *c, X509 *x509)
{
	struct buf names;

	buf_init(&names, sizeof(c->names) - sizeof(dots));
	add_alt_names(&names, x509);
	if (names.len == 0)
		add_common_name(&names, x509);
	if (names.len > 0)
		memcpy(c->names, names.data, names.len);
	c->names[names.len] = '\0';
	buf_reset(&names);
}

/* time_ms: a date that is damaged is long past. */
static int64_t time_ms(const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

int certificate_of(X509 *x509, struct certificate *c_r)
{
	struct certificate c = { 0 };

	if (x509 == NULL)
		return ERR_INVALID;
	read_names(&c, x509);
	c.not_before_ms = time_ms(X509_get0_notBefore(x509));
	c.not_after_ms = time_ms(X509_get0_notAfter(x509));
	c.is_self_signed = X509_self_signed(x509, 0) == 1;
	ERR_clear_error();
	*c_r = c;
	return ERR_OK;
}

int certificate_read(struct str text, struct certificate *c_r)
{
	char password[] = ""; /* or OpenSSL would ask the terminal */
	BIO *bio;
	X509 *x509;
	int rc;

	if (text.len == 0 || text.len > INT_MAX)
		return ERR_INVALID;
	bio = BIO_new_mem_buf(text.data, (int)text.len);
	if (bio == NULL)
		abort();
	x509 = PEM_read_bio_X509(bio, NULL, NULL, password);
	rc = certificate_of(x509, c_r);
	X509_free(x509);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

const char *certificate_day(int64_t ms, char out[static 16])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		memcpy(out, "?", 2);
	return out;
}

bool certificate_warning(const struct certificate *c, int64_t now_ms,
                         struct err_detail *detail)
{
	char day[16];

	if (now_ms > c->not_after_ms)
		(void)err_set(detail, ERR_OK, "certificate expired on %s",
		              certificate_day(c->not_after_ms, day));
	else if (now_ms < c->not_before_ms)
		(void)err_set(detail, ERR_OK,
		              "certificate is not valid before %s",
		              certificate_day(c->not_before_ms, day));
	else if (c->is_self_signed)
		(void)err_set(detail, ERR_OK, "certificate is self-signed");
	else
		return false;
	return true;
}
