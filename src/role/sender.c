/* SPDX-License-Identifier: ISC */
/* sender - see sender.h. */
#include "role/sender.h"

#include <string.h>

#include "apns/request.h"

bool sender_is_dry_run(const struct conf *c)
{
	return strcmp(c->apns_url, "dry-run") == 0;
}

bool sender_is_absent(const struct conf *c)
{
	return !sender_is_dry_run(c) && c->apns_certificate == NULL;
}

struct apns_opts sender_opts(const struct conf *c, const struct files *f)
{
	return (struct apns_opts){
		.url = c->apns_url,
		.ca_file = c->apns_ca,
		.files = f,
		.push_type = c->apns_push_type,
		.priority = c->apns_priority,
		.expiration_s = c->apns_expiration_s,
		.request_timeout_s = c->apns_request_timeout_s,
		.retry_s = c->apns_retry_s,
		.in_flight_max = c->apns_in_flight_max,
	};
}

static int find_topic(const struct conf *c, struct sender *s,
                      struct err_detail *detail)
{
	const char *topic =
		c->apns_topic != NULL ? c->apns_topic : s->credential.topic;

	if (topic == NULL && sender_is_dry_run(c))
		return err_set(detail, ERR_INVALID,
		               "apns.topic is missing: a dry run needs one");
	if (topic == NULL)
		return err_set(detail, ERR_INVALID,
		               "apns.certificate %s: no topic in it, and "
		               "apns.topic is not set",
		               c->apns_certificate);
	if (!apns_topic_is_valid(str_of(topic)))
		return err_set(detail, ERR_INVALID,
		               "apns.topic: not a topic of Apple's");
	s->topic = str_dup(str_of(topic));
	return ERR_OK;
}

int sender_load(const struct conf *c, const struct files *f, struct sender *s_r,
                struct err_detail *detail)
{
	struct sender s = { 0 };
	struct err_detail why;
	int rc = ERR_OK;

	if (!sender_is_dry_run(c)) {
		rc = credential_load(f, c->apns_certificate, c->apns_key,
		                     &s.credential, &why);
		if (rc != ERR_OK)
			return err_set(detail, rc, "apns.certificate: %s",
			               why.text);
	}
	rc = find_topic(c, &s, detail);
	if (rc != ERR_OK)
		sender_done(&s);
	else
		*s_r = s;
	return rc;
}

void sender_done(struct sender *s)
{
	credential_done(&s->credential);
	str_free(&s->topic);
}

static bool lists_topic(const struct credential *c, struct str topic)
{
	for (size_t i = 0; i < c->topic_count; i++)
		if (str_eq(str_of(c->topics[i]), topic))
			return true;
	return false;
}

bool sender_warning(const struct sender *s, int64_t now_ms,
                    struct err_detail *detail)
{
	const struct credential *c = &s->credential;
	struct err_detail first = { "" };
	bool other = c->topic_count > 0 && !lists_topic(c, s->topic);
	bool said =
		c->certificate.len > 0 && credential_warning(c, now_ms, &first);

	if (other)
		(void)err_set(detail, ERR_OK,
		              "%s%sapns.topic is %s, the certificate is for %s",
		              first.text, said ? "; " : "", s->topic.data,
		              c->topic);
	else if (said)
		*detail = first;
	return said || other;
}
