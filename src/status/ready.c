/* SPDX-License-Identifier: ISC */
/* ready - see ready.h. */
#include "status/ready.h"

#include "base/metric.h"

/* was_seen: processes have one clock, but who counted may have looked at it
 * later than we did in this turn. */
static bool was_seen(uint64_t now_ms)
{
	uint64_t seen_ms = (uint64_t)metric_total(METRIC_BACKEND_SEEN_MS);

	return seen_ms > now_ms || now_ms - seen_ms <= READY_SEEN_S * 1000;
}

bool ready_judge(uint64_t now_ms, const char **why_r)
{
	bool is_ready = false;

	if (metric_total(METRIC_DRAINING) > 0)
		*why_r = "not ready: imapbell ends, no client is accepted";
	else if (metric_total(METRIC_BACKEND_SEEN_MS) <= 0)
		*why_r = "not ready: no backend was reached yet";
	else if (!was_seen(now_ms))
		*why_r = "not ready: no backend was reached within the last "
			 "minute";
	else
		is_ready = true;
	if (is_ready)
		*why_r = "ready";
	return is_ready;
}
