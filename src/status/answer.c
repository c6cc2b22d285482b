/* SPDX-License-Identifier: ISC */
/* answer - see answer.h. */
#include "status/answer.h"

#include <stdbool.h>
#include <time.h>

#include "status/exposition.h"
#include "status/ready.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* Each writes a body and returns the status, or ERR_LIMIT. */
typedef int body_fn(const struct page_facts *f, struct buf *out);

static int ok_if(int rc)
{
	return rc == ERR_OK ? 200 : rc;
}

static int write_page(const struct page_facts *f, struct buf *out)
{
	return ok_if(page_write(f, out));
}

static int write_health(const struct page_facts *f, struct buf *out)
{
	(void)f;
	return ok_if(buf_adds(out, "alive\n"));
}

static int write_ready(const struct page_facts *f, struct buf *out)
{
	const char *why;
	bool is_ready = ready_judge(f->loop_ms, &why);
	int rc = buf_printf(out, "%s\n", why);

	return rc == ERR_OK && !is_ready ? 503 : ok_if(rc);
}

static int write_metrics(const struct page_facts *f, struct buf *out)
{
	return ok_if(exposition_write(f->now_ms, out));
}

static const struct {
	struct str path;
	const char *type;
	body_fn *write;
} pages[] = {
	{ { "/", 1 }, PAGE_TYPE, write_page },
	{ { "/healthz", 8 }, TEXT_TYPE, write_health },
	{ { "/readyz", 7 }, TEXT_TYPE, write_ready },
	{ { "/metrics", 8 }, EXPOSITION_TYPE, write_metrics },
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
};

static const char *reason_of(int status)
{
	size_t i = 0;

	while (i + 1 < sizeof(reasons) / sizeof(reasons[0]) &&
	       reasons[i].status != status)
		i++;
	return reasons[i].reason;
}

/* write_date: RFC 9110 section 5.6.7. The locale is C, as it begins. */
static int write_date(int64_t now_ms, struct buf *out)
{
	time_t now = (time_t)(now_ms / 1000);
	char date[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		return ERR_OK;
	return buf_printf(out, "Date: %s\r\n", date);
}

/* write_all writes status and header, and |body| unless it is only |asked|
 * about. */
static int write_all(int status, const char *type, const struct page_facts *f,
                     struct str body, bool asked, struct buf *out)
{
	int rc = buf_printf(out, "HTTP/1.1 %d %s\r\n", status,
	                    reason_of(status));

	if (rc == ERR_OK)
		rc = write_date(f->now_ms, out);
	if (rc == ERR_OK && status == 405)
		rc = buf_adds(out, "Allow: GET, HEAD\r\n");
	if (rc == ERR_OK)
		rc = buf_printf(out,
		                "Content-Type: %s\r\n"
		                "Content-Length: %zu\r\n"
		                "Cache-Control: no-store\r\n"
		                "Content-Security-Policy: " PAGE_POLICY "\r\n"
		                "X-Content-Type-Options: nosniff\r\n"
		                "Referrer-Policy: no-referrer\r\n"
		                "Connection: close\r\n\r\n",
		                type, body.len);
	if (rc == ERR_OK && !asked)
		rc = buf_add(out, body);
	return rc;
}

/* refuse answers |status|, in words. */
static int refuse(int status, bool asked, const struct page_facts *f,
                  struct buf *out)
{
	struct buf body;
	int rc;

	buf_init(&body, ANSWER_MAX);
	rc = buf_printf(&body, "%s\n", reason_of(status));
	if (rc == ERR_OK)
		rc = write_all(status, TEXT_TYPE, f, buf_str(&body), asked,
		               out);
	buf_reset(&body);
	return rc;
}

int answer_write(const struct request *r, const struct page_facts *f,
                 struct buf *out)
{
	bool asked = r->method == REQUEST_HEAD;
	struct buf body;
	size_t i = 0;
	int rc;

	while (i < sizeof(pages) / sizeof(pages[0]) &&
	       !str_eq(pages[i].path, r->path))
		i++;
	if (i == sizeof(pages) / sizeof(pages[0]))
		return refuse(404, asked, f, out);
	if (r->method == REQUEST_OTHER)
		return refuse(405, false, f, out);
	buf_init(&body, ANSWER_MAX);
	rc = pages[i].write(f, &body);
	if (rc > 0)
		rc = write_all(rc, pages[i].type, f, buf_str(&body), asked,
		               out);
	buf_reset(&body);
	return rc;
}

int answer_refuse(int rc, const struct page_facts *f, struct buf *out)
{
	int status = 400;

	if (rc == ERR_LIMIT)
		status = 431;
	else if (rc == ERR_TIMEOUT)
		status = 408;
	return refuse(status, false, f, out);
}
