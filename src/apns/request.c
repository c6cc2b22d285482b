/* SPDX-License-Identifier: ISC */
/*
 * request - path and headers of a push. What differs each time (apns-id,
 * apns-expiration) stays out of HPACK's table, as Apple asks; nghttp2 does so
 * for :path by itself. No apns-collapse-id: it would replace a stored push for
 * one mailbox by a later one for another.
 */
#include "apns/request.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/rand.h"

static bool is_token(struct str s)
{
	return s.len >= APNS_TOKEN_MIN && s.len <= APNS_TOKEN_MAX &&
	       s.len % 2 == 0 && codec_is_hex(s);
}

static void set_path(struct apns_request *r, struct str token)
{
	struct str prefix = STR("/3/device/");

	memcpy(r->path, prefix.data, prefix.len);
	for (size_t i = 0; i < token.len; i++)
		r->path[prefix.len + i] = str_lower(token.data[i]);
	r->path[prefix.len + token.len] = '\0';
}

/* set_id writes a random UUID (RFC 4122 section 4.4) in lower case. */
static void set_id(struct apns_request *r)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];
	char *out = r->id;

	rand_bytes(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static void add_header(struct apns_request *r, struct str name,
                       struct str value, bool no_index)
{
	r->headers[r->h2.header_count++] =
		(struct h2_header){ name, value, no_index };
}

bool apns_topic_is_valid(struct str topic)
{
	if (topic.len == 0 || topic.len > 255)
		return false;
	for (size_t i = 0; i < topic.len; i++) {
		char c = topic.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
		      c == '_'))
			return false;
	}
	return true;
}

int apns_request_fill(struct apns_request *r,
                      const struct apns_request_opts *opts,
                      const struct push_job *job, struct str payload,
                      int64_t now_ms)
{
	int64_t expiration = 0;

	if (!is_token(job->device_token) || !apns_topic_is_valid(job->topic))
		return ERR_INVALID;
	memset(r, 0, sizeof(*r));
	set_path(r, job->device_token);
	set_id(r);
	r->h2.method = STR("POST");
	r->h2.scheme = STR("https");
	r->h2.authority = str_of(opts->authority);
	r->h2.path = str_of(r->path);
	r->h2.headers = r->headers;
	r->h2.body = payload;
	add_header(r, STR("apns-topic"), job->topic, false);
	add_header(r, STR("apns-push-type"), str_of(opts->push_type), false);
	if (opts->priority > 0) {
		(void)snprintf(r->priority, sizeof(r->priority), "%u",
		               opts->priority);
		add_header(r, STR("apns-priority"), str_of(r->priority), false);
	}
	if (opts->expiration_s > 0)
		expiration = now_ms / 1000 + opts->expiration_s;
	(void)snprintf(r->expiration, sizeof(r->expiration), "%lld",
	               (long long)expiration);
	add_header(r, STR("apns-expiration"), str_of(r->expiration), true);
	add_header(r, STR("apns-id"), str_of(r->id), true);
	return 0;
}
