/* SPDX-License-Identifier: ISC */
/* service - see service.h. */
#include "push/service.h"

void service_free(struct service **service)
{
	struct service *s = *service;

	*service = NULL;
	if (s != NULL)
		s->ops->free(s);
}

bool service_offers(const struct service *s)
{
	return s->ops->offers(s);
}

size_t service_mailboxes_max(const struct service *s)
{
	return s->ops->mailboxes_max(s);
}

bool service_offer(const struct service *s, struct str login_name,
                   struct str *topic_r)
{
	return s->ops->offer(s, login_name, topic_r);
}

bool service_keeps_logins(const struct service *s)
{
	return s->ops->keeps_logins(s);
}

void service_logged_in(struct service *s, const struct imap_login *login)
{
	s->ops->logged_in(s, login);
}

void service_lookup(struct service *s, struct str login_name,
                    const struct str *names, size_t count,
                    service_lookup_fn *done, void *arg)
{
	s->ops->lookup(s, login_name, names, count, done, arg);
}

void service_register(struct service *s,
                      const struct service_registration *registration,
                      service_done_fn *done, void *arg)
{
	s->ops->put(s, registration, done, arg);
}
