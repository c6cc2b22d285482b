/* SPDX-License-Identifier: ISC */
/* exposition - see exposition.h. Neither names nor sentences need escapes. */
#include "status/exposition.h"

#include "base/metric.h"

struct exposition {
	struct buf *out;
	const char *family; /* the last */
	int rc;
};

static void write_sample(void *arg, const struct metric_sample *sample)
{
	struct exposition *e = arg;

	if (e->rc == ERR_OK && e->family != sample->family)
		e->rc = buf_printf(e->out, "# HELP %s %s\n# TYPE %s %s\n",
		                   sample->family, sample->help, sample->family,
		                   sample->type);
	e->family = sample->family;
	if (e->rc == ERR_OK)
		e->rc = buf_printf(e->out, "%s %s\n", sample->name,
		                   sample->text);
}

int exposition_write(int64_t now_ms, struct buf *out)
{
	struct exposition e = { .out = out };

	metric_show(now_ms, write_sample, &e);
	return e.rc;
}
