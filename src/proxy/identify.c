/* SPDX-License-Identifier: ISC */
/*
 * identify - RFC 2971, and the keys that Dovecot made for proxies: a server
 * honours them in the first ID of a connection whose peer it trusts.
 */
#include "proxy/identify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "imap/command.h"
#include "imap/id.h"
#include "net/address.h"
#include "proxy/backend.h"
#include "proxy/client.h"
#include "proxy/prelogin.h"
#include "proxy/relay.h"
#include "proxy/session.h"

/* parse reads the arguments of a whole command. */
static int parse(struct str command, struct imap_command *c,
                 struct imap_id *id_r)
{
	size_t behind;
	int rc = imap_command_parse(command, c);

	if (rc != ERR_OK)
		return rc;
	/* To the end of the command, not of its first line. */
	behind = (size_t)(c->verb.data + c->verb.len - command.data);
	return imap_id_parse(str_sub(command, behind, SIZE_MAX), id_r);
}

static const char *refusal(int rc)
{
	return rc == ERR_LIMIT ? "BAD Too many or too long strings in ID."
	                       : "BAD Malformed ID.";
}

void identify_answer(struct session *s, struct str command)
{
	session_reply(s, client_tag(command), STR("* ID NIL\r\n"),
	              "OK ID completed.");
}

void identify_prelogin(struct session *s, struct str command)
{
	struct imap_command c;
	struct imap_id id;
	int rc = parse(command, &c, &id);

	if (rc != ERR_OK) {
		session_reply(s, client_tag(command), STR_NULL, refusal(rc));
		prelogin_count_bad(s);
		return;
	}
	str_free(&s->client_id);
	if (id.list.len > 0)
		s->client_id = str_dup(buf_str(&id.list));
	if (id.ttl < s->proxies_left)
		s->proxies_left = id.ttl;
	imap_id_done(&id);
	identify_answer(s, command);
}

void identify_forget(struct session *s)
{
	str_free(&s->client_id);
	s->proxies_left = IMAP_ID_TTL_MAX;
}

/* forward gives the backend |line|, a whole command, as the client's. */
static void forward(struct session *s, struct str tag, struct str line)
{
	const struct imap_frame frame = {
		.kind = IMAP_FRAME_LINE,
		.text = line,
		.first = true,
		.last = true,
	};

	relay_command(s, tag, &frame);
}

/* forward_list writes the command anew, with |list|. */
static void forward_list(struct session *s, const struct imap_command *c,
                         struct str list)
{
	struct buf line;
	int rc;

	buf_init(&line, IMAP_ID_LIST_MAX + IMAP_TAG_MAX + 16);
	rc = buf_add(&line, c->tag);
	if (rc == ERR_OK)
		rc = buf_adds(&line, " ID ");
	if (rc == ERR_OK)
		rc = buf_add(&line, list.len > 0 ? list : STR("NIL"));
	if (rc == ERR_OK)
		rc = buf_adds(&line, "\r\n");
	assert(rc == ERR_OK); /* all of it has a ceiling */
	forward(s, c->tag, buf_str(&line));
	buf_reset(&line);
}

void identify_relay(struct session *s, struct str command)
{
	struct imap_command c;
	struct imap_id id;
	int rc = parse(command, &c, &id);

	if (rc != ERR_OK) {
		session_reply(s, client_tag(command), STR_NULL, refusal(rc));
		return;
	}
	if (id.is_internal || id.is_literal)
		forward_list(s, &c, buf_str(&id.list));
	else
		forward(s, c.tag, command);
	imap_id_done(&id);
}

bool identify_is_loop(const struct session *s)
{
	return s->proxies_left <= 1;
}

struct str identify_client(const struct session *s)
{
	return backend_has(s->server, STR("ID")) ? s->client_id : STR_NULL;
}

/* wants_id: our address is to be told. A backend that was not seen yet may
 * have ID; it costs nothing when it has not. */
static bool wants_id(const struct session *s)
{
	const struct backend *b = s->server;

	return backend_target(b)->forward == DIAL_FORWARD_ID &&
	       (!backend_is_known(b) || backend_has(b, STR("ID")));
}

static int add_number(struct buf *out, const char *key, const char *prefix,
                      uint64_t number)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%s%" PRIu64, prefix, number);
	return imap_id_add(out, str_of(key), str_of(text));
}

/* add_address tells one end, if it has an address. */
static int add_address(struct buf *out, const char *ip, const char *port,
                       const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];
	int rc;

	if (address_len(a) == 0)
		return ERR_OK;
	address_print_host(a, text, sizeof(text));
	rc = imap_id_add(out, str_of(ip), str_of(text));
	return rc == ERR_OK ? add_number(out, port, "", a->port) : rc;
}

void identify_own(const struct session *s, struct buf *out)
{
	int rc;

	if (!wants_id(s))
		return;
	rc = imap_id_add(out, STR("name"), STR("imapbell"));
	if (rc == ERR_OK)
		rc = imap_id_add(out, STR("version"), STR(IMAPBELL_VERSION));
	if (rc == ERR_OK)
		rc = add_address(out, "x-originating-ip", "x-originating-port",
		                 &s->client_addr);
	if (rc == ERR_OK)
		rc = add_address(out, "x-connected-ip", "x-connected-port",
		                 &s->server_addr);
	if (rc == ERR_OK)
		rc = add_number(out, "x-session-id", "imapbell-", s->log.id);
	if (rc == ERR_OK)
		rc = add_number(out, "x-proxy-ttl", "", s->proxies_left - 1);
	if (rc == ERR_OK)
		rc = imap_id_end(out);
	assert(rc == ERR_OK); /* the caller's buffer has room */
}
