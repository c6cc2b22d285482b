/* SPDX-License-Identifier: ISC */
/* standing - see standing.h. The reasons are Apple's. */
#include "push/standing.h"

#include "base/str.h"

enum { SUSPECT_PERCENT_MAX = 5 };

static const struct {
	const char *reason;
	enum standing standing;
} doubts[] = {
	{ "BadDeviceToken", STANDING_SUSPECT },
	{ "DeviceTokenNotForTopic", STANDING_STALE },
	/* Not noted in a registration while the topic is the credential's. */
	{ "BadTopic", STANDING_STALE },
	{ "TopicDisallowed", STANDING_STALE },
};

enum standing standing_of(const struct store_registration *r)
{
	if (r->last_push_ms < r->last_seen_ms)
		return STANDING_UNKNOWN;
	if (r->last_status == 200)
		return STANDING_GOOD;
	for (size_t i = 0;
	     r->last_status == 400 && i < sizeof(doubts) / sizeof(doubts[0]);
	     i++)
		if (str_eq(r->last_reason, str_of(doubts[i].reason)))
			return doubts[i].standing;
	return STANDING_UNKNOWN;
}

/* count adds |by| to those of one kind; of the others nobody wants to know. */
static void count(struct standing_poll *p, enum standing answer, size_t by)
{
	if (answer == STANDING_GOOD)
		p->good += by;
	else if (answer == STANDING_SUSPECT)
		p->suspect += by;
}

void standing_poll_add(struct standing_poll *p, enum standing answer)
{
	count(p, p->answers[p->next], (size_t)-1);
	count(p, answer, 1);
	p->answers[p->next] = answer;
	p->next = (p->next + 1) % STANDING_ANSWERS;
}

bool standing_poll_accepts(const struct standing_poll *p)
{
	return p->good > 0 &&
	       p->suspect * 100 <= STANDING_ANSWERS * SUSPECT_PERCENT_MAX;
}
