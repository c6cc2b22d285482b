/* SPDX-License-Identifier: ISC */
/* err - names of results, and sentences for people. */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const texts[] = {
	[-ERR_OK] = "ok",
	[-ERR_MORE] = "incomplete",
	[-ERR_PARSE] = "malformed",
	[-ERR_LIMIT] = "limit reached",
	[-ERR_IO] = "input/output error",
	[-ERR_TIMEOUT] = "timed out",
	[-ERR_DNS] = "name not resolved",
	[-ERR_TLS] = "tls failed",
	[-ERR_CLOSED] = "connection closed",
	[-ERR_AUTH] = "credentials refused",
	[-ERR_NOT_FOUND] = "not found",
	[-ERR_INVALID] = "invalid",
	[-ERR_PERMISSION] = "permission denied",
	[-ERR_CANCELED] = "canceled",
	[-ERR_UNAVAILABLE] = "unavailable",
	[-ERR_UNTRUSTED] = "certificate not trusted",
};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static_assert(TEXTS == -ERR_UNTRUSTED + 1, "every result has a text");

const char *err_text(int rc)
{
	if (rc > 0 || rc <= -TEXTS)
		return "unknown error";
	return texts[-rc];
}

int err_set(struct err_detail *detail, int rc, const char *fmt, ...)
{
	va_list ap;

	if (detail == NULL)
		return rc;
	va_start(ap, fmt);
	if (vsnprintf(detail->text, sizeof(detail->text), fmt, ap) < 0)
		detail->text[0] = '\0';
	va_end(ap);
	return rc;
}
