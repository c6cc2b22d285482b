/* SPDX-License-Identifier: ISC */
/*
 * prelogin - answers before login (RFC 9051 section 6.1 and 6.2). CAPABILITY
 * and the greeting come from what the backends were seen to list.
 */
#include "proxy/prelogin.h"

#include <stdio.h>

#include "base/buf.h"
#include "imap/command.h"
#include "proxy/backends.h"
#include "proxy/client.h"
#include "proxy/door.h"
#include "proxy/identify.h"
#include "proxy/session.h"

#define PRELOGIN_LINE_MAX ((size_t)16 * 1024)

/* add_list appends |words| of the backends as they are shown before login: with
 * XAPPLEPUSHSERVICE, if anybody is offered it now. */
static int add_list(const struct session *s, struct str words, struct buf *out)
{
	struct imap_capability_policy policy = session_policy(s);

	policy.before_tls = prelogin_needs_tls(s);
	policy.offer_push =
		s->env->opts->push_enabled && service_offers(s->env->service);
	return imap_capability_prelogin(words, &policy, out);
}

void prelogin_greet(struct session *s)
{
	struct buf line;

	buf_init(&line, PRELOGIN_LINE_MAX);
	if (buf_adds(&line, "* OK [CAPABILITY ") != 0 ||
	    add_list(s, backends_greeting(s->env->backends), &line) != 0 ||
	    buf_adds(&line, "] imapbell ready.\r\n") != 0)
		session_close(s, "capability list too long");
	else
		session_answer(s, buf_str(&line));
	buf_reset(&line);
}

bool prelogin_needs_tls(const struct session *s)
{
	return s->door->security == PROXY_STARTTLS && !stream_is_tls(s->client);
}

void prelogin_secured(struct session *s)
{
	s->bad_commands = 0;
	identify_forget(s);
}

/* shows: of |words| of the backend, |word| is shown. */
static bool shows(const struct session *s, struct str words, struct str word)
{
	struct buf list;
	bool shown;

	buf_init(&list, PRELOGIN_LINE_MAX);
	shown = add_list(s, words, &list) == 0 &&
	        imap_capability_has(buf_str(&list), word);
	buf_reset(&list);
	return shown;
}

bool prelogin_takes(const struct session *s, const char *mechanism)
{
	const struct backends *all = s->env->backends;
	char text[40];
	struct str word;

	(void)snprintf(text, sizeof(text), "AUTH=%s", mechanism);
	word = str_of(text);
	if (!backends_are_known(all))
		return shows(s, word, word);
	return shows(s, backends_greeting(all), word) ||
	       shows(s, backends_capability(all), word);
}

void prelogin_count_bad(struct session *s)
{
	s->bad_commands++;
	if (s->bad_commands >= PRELOGIN_BAD_MAX)
		session_bye(s, "Too many bad commands.");
}

void prelogin_capability(struct session *s, struct str command)
{
	struct buf line;

	buf_init(&line, PRELOGIN_LINE_MAX);
	if (buf_adds(&line, "* CAPABILITY ") != 0 ||
	    add_list(s, backends_capability(s->env->backends), &line) != 0 ||
	    buf_adds(&line, "\r\n") != 0)
		session_close(s, "capability list too long");
	else
		session_reply(s, client_tag(command), buf_str(&line),
		              "OK CAPABILITY completed.");
	buf_reset(&line);
}

void prelogin_logout(struct session *s, struct str command)
{
	session_reply(s, client_tag(command), STR("* BYE Logging out.\r\n"),
	              "OK LOGOUT completed.");
	session_close(s, "logout");
}

void prelogin_noop(struct session *s, struct str command)
{
	session_reply(s, client_tag(command), STR_NULL, "OK NOOP completed.");
}

/* starttls = "STARTTLS"; the session goes on when it has read what else came.
 */
void prelogin_starttls(struct session *s, struct str command)
{
	struct imap_command c;

	if (imap_command_parse(command, &c) != 0 || c.args.len > 0) {
		session_reply(s, c.tag, STR_NULL,
		              "BAD STARTTLS takes no arguments.");
		prelogin_count_bad(s);
		return;
	}
	session_reply(s, c.tag, STR_NULL, "OK Begin TLS negotiation now.");
	if (s->state != SESSION_CLOSING)
		session_set_state(s, SESSION_OPENING);
}
