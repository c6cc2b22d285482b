/* SPDX-License-Identifier: ISC */
/* audience - see audience.h. */
#include "push/audience.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "imap/login.h"
#include "net/route.h"

enum { DOMAIN_MAX = 255 };

int audience_user(const struct audience *a, struct str login_name,
                  struct buf *out)
{
	int rc;

	buf_init(out, IMAP_USER_MAX + 1 + DOMAIN_MAX);
	if (login_name.len > IMAP_USER_MAX)
		return ERR_LIMIT;
	rc = buf_add(out, login_name);
	if (rc == ERR_OK && a->default_domain.len > 0 &&
	    str_find(login_name, '@') == SIZE_MAX) {
		rc = buf_append(out, "@", 1);
		if (rc == ERR_OK)
			rc = buf_add(out, a->default_domain);
	}
	for (size_t i = 0; rc == ERR_OK && a->lowercase && i < out->len; i++)
		out->data[i] = str_lower(out->data[i]);
	return rc;
}

/* names: an entry of a list is this user or the user's domain, which may be
 * written with its @. */
static bool names(const struct audience *a, struct str item, struct str user)
{
	struct str domain = route_domain(user);

	if (a->lowercase ? str_ieq(item, user) : str_eq(item, user))
		return true;
	(void)str_byte(&item, '@');
	return domain.len > 0 && str_ieq(item, domain);
}

static bool is_listed(const struct audience *a,
                      const struct audience_list *list, struct str user)
{
	for (size_t i = 0; i < list->count; i++) {
		if (names(a, list->items[i], user))
			return true;
	}
	return false;
}

bool audience_allows(const struct audience *a, struct str user)
{
	return !is_listed(a, &a->deny, user) &&
	       (a->allow.count == 0 || is_listed(a, &a->allow, user));
}

bool audience_offers(const struct audience *a)
{
	return a->enabled && a->topic.data != NULL;
}

bool audience_offer(const struct audience *a, struct str login_name,
                    struct str *topic_r)
{
	struct buf user;
	bool offer;

	if (!audience_offers(a))
		return false;
	offer = audience_user(a, login_name, &user) == ERR_OK &&
	        audience_allows(a, buf_str(&user));
	buf_reset(&user);
	if (offer)
		*topic_r = a->topic;
	return offer;
}

/* find_topic returns its index in |topics|, or their number. */
static size_t find_topic(const struct audience *a, struct str topic)
{
	size_t i = 0;

	while (i < a->topics.count && !str_eq(a->topics.items[i], topic))
		i++;
	return i;
}

bool audience_has_topic(const struct audience *a, struct str topic)
{
	return find_topic(a, topic) < a->topics.count;
}

void audience_set_topic(struct audience *a, struct str topic)
{
	struct audience_list *all = &a->topics;
	size_t i = find_topic(a, topic);

	a->topic = STR_NULL;
	if (topic.data == NULL)
		return;
	if (i == all->count) {
		all->items =
			xrealloc(all->items, ++all->count, sizeof(*all->items));
		all->items[i] = str_dup(topic);
	}
	a->topic = all->items[i];
}

static struct audience_list copy_list(const struct str *items, size_t count)
{
	struct audience_list list = { xcalloc(count, sizeof(*items)), count };

	for (size_t i = 0; i < count; i++)
		list.items[i] = str_dup(items[i]);
	return list;
}

static void free_list(struct audience_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		str_free(&list->items[i]);
	free(list->items);
	*list = (struct audience_list){ 0 };
}

void audience_set_lists(struct audience *a, const struct audience_opts *opts)
{
	free_list(&a->allow);
	free_list(&a->deny);
	a->allow = copy_list(opts->allow, opts->allow_count);
	a->deny = copy_list(opts->deny, opts->deny_count);
}

void audience_init(struct audience *a, const struct audience_opts *opts)
{
	*a = (struct audience){
		.enabled = opts->enabled,
		.lowercase = opts->lowercase,
	};
	audience_set_lists(a, opts);
	audience_set_topic(a, str_of(opts->topic));
	if (opts->default_domain != NULL)
		a->default_domain = str_dup(str_of(opts->default_domain));
}

void audience_done(struct audience *a)
{
	free_list(&a->allow);
	free_list(&a->deny);
	free_list(&a->topics);
	str_free(&a->default_domain);
}
