/* SPDX-License-Identifier: ISC */
/* page - see page.h. Only numbers and names of ours are in it; labels, which
 * another process wrote, are escaped all the same. */
#include "status/page.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/metric.h"
#include "net/certificate.h"
#include "status/ready.h"

enum { WARN_DAYS = 30, DAY_S = 86400 };

struct page {
	const struct page_facts *facts;
	struct buf *out;
	int rc; /* the first failure */
};

static void put(struct page *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct page *p, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (p->rc != ERR_OK)
		return;
	p->rc = len < 0 || (size_t)len >= sizeof(text)
	                ? ERR_LIMIT
	                : buf_append(p->out, text, (size_t)len);
}

/* put_text writes what is not ours. */
static void put_text(struct page *p, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			put(p, "&lt;");
			break;
		case '>':
			put(p, "&gt;");
			break;
		case '&':
			put(p, "&amp;");
			break;
		case '"':
			put(p, "&quot;");
			break;
		default:
			put(p, "%c", *text);
		}
	}
}

static long long total(enum metric m)
{
	return (long long)metric_total(m);
}

/* put_time writes so many seconds in the two units that matter. */
static void put_time(struct page *p, int64_t s)
{
	long long n = s > 0 ? (long long)s : 0;

	if (n >= DAY_S)
		put(p, "%lld d %lld h", n / DAY_S, n % DAY_S / 3600);
	else if (n >= 3600)
		put(p, "%lld h %lld min", n / 3600, n % 3600 / 60);
	else if (n >= 60)
		put(p, "%lld min %lld s", n / 60, n % 60);
	else
		put(p, "%lld s", n);
}

static void put_bytes(struct page *p, enum metric m)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)metric_total(m);
	size_t i = 0;

	for (; n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		n /= 1024;
	put(p, "%.*f %s", i == 0 ? 0 : 1, n, units[i]);
}

/* put_series writes the values of all series of |family| behind their labels,
 * as `status="200",reason=""`; of those labels the values alone. */
struct put_series {
	struct page *page;
	const char *family;
	bool any;
};

static void on_sample(void *arg, const struct metric_sample *sample)
{
	struct put_series *s = arg;
	const char *at = sample->name;
	const char *gap = "";

	if (strcmp(sample->family, s->family) != 0 || sample->value == 0)
		return;
	put(s->page, "%s", s->any ? "<br>" : "");
	s->any = true;
	while ((at = strchr(at, '"')) != NULL) {
		char value[80];
		size_t len = strcspn(++at, "\"");

		(void)snprintf(value, sizeof(value), "%.*s",
		               (int)(len < sizeof(value) ? len : 0), at);
		put(s->page, "%s", len > 0 ? gap : "");
		put_text(s->page, value);
		gap = " ";
		at += len + 1;
	}
	put(s->page, ": %s", sample->text);
}

static void put_series(struct page *p, const char *family)
{
	struct put_series s = { p, family, false };

	metric_show(p->facts->now_ms, on_sample, &s);
	if (!s.any)
		put(p, "none");
}

/* Rows. */

static void put_backend(struct page *p)
{
	put(p, "%s",
	    total(METRIC_BACKEND_UP) > 0 ? "up" : "<b>not up, or not all</b>");
}

static void put_sessions(struct page *p)
{
	put(p, "%lld logged in, %lld not yet", total(METRIC_SESSIONS_RELAY),
	    total(METRIC_SESSIONS_OPENING) + total(METRIC_SESSIONS_PRELOGIN) +
	            total(METRIC_SESSIONS_LOGIN) +
	            total(METRIC_SESSIONS_REFUSED));
}

static void put_logins(struct page *p)
{
	put(p, "%lld, refused %lld, no backend %lld", total(METRIC_LOGINS_OK),
	    total(METRIC_LOGINS_REFUSED), total(METRIC_LOGINS_UNAVAILABLE));
}

static void put_handshakes(struct page *p)
{
	put(p, "%lld full, %lld resumed, %lld failed",
	    total(METRIC_TLS_HANDSHAKES_FULL),
	    total(METRIC_TLS_HANDSHAKES_RESUMED),
	    total(METRIC_TLS_HANDSHAKES_FAILED));
}

static void put_relayed(struct page *p)
{
	put_bytes(p, METRIC_RELAYED_TO_CLIENT);
	put(p, " to clients, ");
	put_bytes(p, METRIC_RELAYED_TO_SERVER);
	put(p, " to the backend");
}

static void put_devices(struct page *p)
{
	put(p, "%lld", total(METRIC_REGISTRATIONS));
}

static void put_users(struct page *p)
{
	long long unwatched = total(METRIC_USERS_UNWATCHED);

	put(p, "%lld watched, %s%lld unwatched%s", total(METRIC_USERS_WATCHED),
	    unwatched > 0 ? "<b>" : "", unwatched, unwatched > 0 ? "</b>" : "");
}

static void put_pushes(struct page *p)
{
	put_series(p, "imapbell_pushes_total");
}

static void put_wakes(struct page *p)
{
	put(p, "%lld", total(METRIC_WAKE_RINGS));
}

static void put_queue(struct page *p)
{
	int64_t oldest_ms = metric_total(METRIC_QUEUE_OLDEST);

	put(p, "%lld", total(METRIC_QUEUE_DEPTH));
	if (oldest_ms <= 0)
		return;
	put(p, ", the oldest for ");
	put_time(p, (p->facts->now_ms - oldest_ms) / 1000);
}

static void put_store(struct page *p)
{
	put(p, "%s, %lld errors",
	    total(METRIC_STORE_UP) > 0 ? "works" : "<b>does not work</b>",
	    total(METRIC_STORE_ERRORS));
}

static void put_credential(struct page *p)
{
	int64_t end_s = metric_total(METRIC_CREDENTIAL_EXPIRY);
	int64_t days = (end_s - p->facts->now_ms / 1000) / DAY_S;
	bool is_near = days < WARN_DAYS;
	char day[16];

	/* No date that certificate_day could not write. */
	if (end_s <= 0 || end_s > (int64_t)4102444800) {
		put(p, "without an end");
		return;
	}
	put(p, "%suntil %s, %s%lld days%s", is_near ? "<b>" : "",
	    certificate_day(end_s * 1000, day), days < 0 ? "over for " : "",
	    (long long)(days < 0 ? -days : days), is_near ? "</b>" : "");
}

static void put_processes(struct page *p)
{
	put(p, "%lld of %u", total(METRIC_PROCESSES), p->facts->processes);
}

static void put_restarts(struct page *p)
{
	put_series(p, "imapbell_process_restarts_total");
}

static void put_uptime(struct page *p)
{
	put_time(p, (p->facts->now_ms - p->facts->since_ms) / 1000);
}

static const struct {
	const char *heading; /* before it, or NULL */
	const char *label;
	void (*put)(struct page *p);
} rows[] = {
	{ "Mail", "Backend", put_backend },
	{ NULL, "Sessions", put_sessions },
	{ NULL, "Logins", put_logins },
	{ NULL, "TLS handshakes", put_handshakes },
	{ NULL, "Relayed", put_relayed },
	{ "Push", "Devices", put_devices },
	{ NULL, "Users with devices", put_users },
	{ NULL, "Pushes by answer", put_pushes },
	{ NULL, "Wake rings", put_wakes },
	{ NULL, "Owed now", put_queue },
	{ NULL, "Credential", put_credential },
	{ NULL, "Database", put_store },
	{ "Processes", "Running", put_processes },
	{ NULL, "Replaced", put_restarts },
	{ NULL, "Up", put_uptime },
};

static const char style[] =
	"<style>body{font:16px/1.4 sans-serif;max-width:40em;margin:1em auto;"
	"padding:0 1em;color:#222;background:#fff}h1{font-size:1.3em}"
	"h2{font-size:1em;margin:1.2em 0 .2em}table{border-collapse:collapse;"
	"width:100%}th{text-align:left;font-weight:normal;color:#666;"
	"vertical-align:top;width:40%}td,th{padding:.2em 0;"
	"border-bottom:1px solid #ddd}b,.no{color:#b00}.yes{color:#060}"
	"@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}"
	"th{color:#999}td,th{border-color:#333}b,.no{color:#f66}"
	".yes{color:#6c6}}</style>";

static void put_head(struct page *p)
{
	const char *why;
	bool is_ready = ready_judge(p->facts->loop_ms, &why);

	put(p, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
	       "<meta charset=\"utf-8\"><title>imapbell</title>\n"
	       "<meta name=\"viewport\" content=\"width=device-width\">\n"
	       "<meta http-equiv=\"refresh\" content=\"30\">\n");
	if (p->rc == ERR_OK)
		p->rc = buf_adds(p->out, style);
	put(p,
	    "</head><body>\n<h1>imapbell " IMAPBELL_VERSION "</h1>\n"
	    "<p class=\"%s\">%s</p>\n",
	    is_ready ? "yes" : "no", why);
}

int page_write(const struct page_facts *f, struct buf *out)
{
	struct page p = { .facts = f, .out = out };

	put_head(&p);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].heading != NULL)
			put(&p, "%s<h2>%s</h2><table>\n",
			    i > 0 ? "</table>" : "", rows[i].heading);
		put(&p, "<tr><th>%s<td>", rows[i].label);
		rows[i].put(&p);
		put(&p, "\n");
	}
	put(&p, "</table>\n<p><a href=\"metrics\">metrics</a></p>\n"
	        "</body></html>\n");
	return p.rc;
}
