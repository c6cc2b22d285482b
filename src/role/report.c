/* SPDX-License-Identifier: ISC */
/* report - see report.h. */
#include "role/report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

static const char *const verdicts[REPORT_VERDICTS] = {
	[REPORT_OK] = "ok",
	[REPORT_WARN] = "warn",
	[REPORT_FAIL] = "FAIL",
};

struct report {
	FILE *out;
	json_t *list; /* NULL: lines are wanted */
	bool failed;
};

struct report *report_new(FILE *out, bool json)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->out = out;
	if (!json)
		return r;
	r->list = json_array();
	if (r->list == NULL)
		abort();
	return r;
}

void report_free(struct report **report)
{
	struct report *r = *report;

	if (r == NULL)
		return;
	json_decref(r->list);
	free(r);
	*report = NULL;
}

/* string_of: the name of a file may be any bytes, JSON wants UTF-8. */
static json_t *string_of(const char *text)
{
	json_t *string = json_string(text);
	struct log_text safe;

	if (string == NULL)
		string = json_string(log_safe(str_of(text), &safe));
	return string;
}

static void add_json(struct report *r, const char *verdict, const char *subject,
                     const char *text)
{
	json_t *fact = json_pack("{s:s, s:s, s:o}", "subject", subject,
	                         "verdict", verdict, "text", string_of(text));

	if (fact == NULL || json_array_append_new(r->list, fact) != 0)
		abort();
}

void report_add(struct report *r, enum report_verdict verdict,
                const char *subject, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		abort();
	if (verdict == REPORT_FAIL)
		r->failed = true;
	if (r->list != NULL) {
		add_json(r, verdicts[verdict], subject, text);
	} else {
		(void)fprintf(r->out, "%-4s  %s: %s\n", verdicts[verdict],
		              subject, text);
		(void)fflush(r->out);
	}
	free(text);
}

bool report_end(struct report *r)
{
	if (r->list != NULL) {
		(void)json_dumpf(r->list, r->out, JSON_INDENT(1));
		(void)fputc('\n', r->out);
		(void)fflush(r->out);
	}
	return !r->failed;
}
