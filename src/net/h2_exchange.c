/* SPDX-License-Identifier: ISC */
/* h2_exchange - a request and its answer, both bounded. */
#include "net/h2_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum {
	/* What a response's header may take, as HPACK counts it (RFC 7541
	 * section 4.1). APNs' are a tenth of it; nghttp2 bounds each field,
	 * not their number. */
	HEADER_BYTES_MAX = 16 * 1024,
	HEADER_OVERHEAD = 32,
};

struct h2_exchange *h2_exchange_new(struct str body, uint64_t now_ms,
                                    uint64_t timeout_ms, h2_response_fn *fn,
                                    void *arg)
{
	struct h2_exchange *x = xcalloc(1, sizeof(*x));

	x->fn = fn;
	x->arg = arg;
	x->timeout_ms = timeout_ms;
	x->due_ms = now_ms + timeout_ms;
	x->body = str_dup(body);
	buf_init(&x->answer, H2_BODY_MAX);
	return x;
}

void h2_exchange_free(struct h2_exchange **x)
{
	if (*x == NULL)
		return;
	str_free(&(*x)->body);
	buf_reset(&(*x)->answer);
	free(*x);
	*x = NULL;
}

size_t h2_exchange_read(struct h2_exchange *x, void *out, size_t len)
{
	struct str rest = str_sub(x->body, x->body_sent, len);

	if (rest.len > 0)
		memcpy(out, rest.data, rest.len);
	x->body_sent += rest.len;
	return rest.len;
}

bool h2_exchange_is_sent(const struct h2_exchange *x)
{
	return x->body_sent == x->body.len;
}

/* take_status reads ":status"; a final one replaces that of a 1xx before. What
 * is no status counts as a 5xx (RFC 9110 section 15). */
static void take_status(struct h2_exchange *x, struct str value)
{
	uint64_t status = 0;

	x->header_bytes = 0; /* each header block is counted by itself */
	if (str_number(&value, 599, &status) != ERR_OK || value.len > 0 ||
	    status < 100)
		status = 500;
	x->status = (int)status;
}

bool h2_exchange_header(struct h2_exchange *x, struct str name,
                        struct str value)
{
	if (str_eq(name, STR(":status"))) {
		take_status(x, value);
	} else if (str_eq(name, STR("retry-after")) &&
	           value.len <= sizeof(x->retry_after)) {
		memcpy(x->retry_after, value.data, value.len);
		x->retry_after_len = value.len;
	}
	x->header_bytes += name.len + value.len + HEADER_OVERHEAD;
	return x->header_bytes <= HEADER_BYTES_MAX;
}

bool h2_exchange_answer(struct h2_exchange *x, struct str bytes)
{
	struct str fits = str_sub(bytes, 0, H2_BODY_MAX - x->answer.len);

	return buf_add(&x->answer, fits) == ERR_OK && fits.len == bytes.len;
}

void h2_exchange_end(struct h2_exchange *x, enum h2_outcome outcome,
                     const char *why)
{
	if (outcome == H2_UNKNOWN && !x->written)
		outcome = H2_NOT_PROCESSED;
	x->outcome = outcome;
	(void)snprintf(x->why, sizeof(x->why), "%s", why);
}

void h2_exchange_tell(struct h2_exchange **x)
{
	struct h2_exchange *ended = *x;
	struct h2_response response = {
		.outcome = ended->outcome,
		.why = ended->why,
	};

	*x = NULL;
	if (ended->outcome == H2_ANSWERED) {
		response.status = ended->status;
		response.body = buf_str(&ended->answer);
		response.retry_after =
			str_new(ended->retry_after, ended->retry_after_len);
	}
	ended->fn(ended->arg, &response);
	h2_exchange_free(&ended);
}
