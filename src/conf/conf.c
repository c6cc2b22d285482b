/* SPDX-License-Identifier: ISC */
/*
 * conf - see conf.h. The layers in their order; everything that needs more
 * than one key to judge is checked at the end, in conf_check.
 */
#include "conf/conf.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_set.h"
#include "conf/conf_table.h"
#include "conf/option.h"
#include "conf/url.h"

#define CONF_FILE "/etc/imapbell/imapbell.conf"
#define CONF_STATE "/var/lib/imapbell"
#define ENV_PREFIX "IMAPBELL_"

static const struct log_ctx conf_log = { LOG_CONF, 0 };

/* getopt_long's values for options without a letter begin here. */
#define OPTION_BASE 256

/* The environment's name of a key: capitals, "_" for ".". */
static bool env_is_key(struct str name, const struct conf_key *key)
{
	size_t i;

	for (i = 0; i < name.len && key->path[i] != '\0'; i++) {
		char c = key->path[i];

		if (c == '.')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (name.data[i] != c)
			return false;
	}
	return i == name.len && key->path[i] == '\0';
}

static int load_environment(struct conf *c, char **environ,
                            struct err_detail *detail)
{
	for (; *environ != NULL; environ++) {
		struct str name = str_of(*environ);
		const struct conf_key *key = NULL;
		struct log_text safe;
		char where[128];
		size_t equals = str_find(name, '=');
		int rc;

		if (equals == SIZE_MAX || !str_starts(name, STR(ENV_PREFIX)))
			continue;
		name.len = equals;
		str_take(&name, strlen(ENV_PREFIX));
		for (size_t i = 0; i < conf_key_count && key == NULL; i++)
			if (env_is_key(name, &conf_keys[i]))
				key = &conf_keys[i];
		if (key == NULL) {
			log_warn(&conf_log, "unknown variable %s%s ignored",
			         ENV_PREFIX, log_safe(name, &safe));
			continue;
		}
		snprintf(where, sizeof(where), "environment " ENV_PREFIX "%s",
		         log_safe(name, &safe));
		rc = conf_set_text(c, key, *environ + equals + 1, where,
		                   detail);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int set_pair(struct conf *c, const char *pair, struct err_detail *detail)
{
	struct str path = str_of(pair);
	size_t equals = str_find(path, '=');
	const struct conf_key *key;
	struct log_text safe;

	if (equals == SIZE_MAX)
		return err_set(detail, ERR_PARSE, "-o %s: KEY=VALUE is wanted",
		               log_safe(path, &safe));
	path.len = equals;
	key = conf_key_find(path);
	if (key == NULL)
		return err_set(detail, ERR_INVALID, "-o: unknown key %s",
		               log_safe(path, &safe));
	return conf_set_text(c, key, pair + equals + 1, "-o", detail);
}

static int set_debug(struct conf *c, const char *areas,
                     struct err_detail *detail)
{
	struct str rest = str_of(areas);
	struct log_text safe;
	uint32_t bits;

	do {
		size_t end = str_find(rest, ',');
		struct str name =
			str_take(&rest, end == SIZE_MAX ? rest.len : end);

		if (log_area_parse(name, &bits) != ERR_OK)
			return err_set(detail, ERR_PARSE, "-d %s: no such area",
			               log_safe(name, &safe));
		c->debug_areas |= bits;
	} while (str_byte(&rest, ','));
	return ERR_OK;
}

struct command_line {
	const char *file; /* -c, or NULL */
	enum conf_action action;
	bool listen_seen;
};

/* Options that are not just another name of a key. */
static int apply_named(struct conf *c, struct command_line *line,
                       const struct option_row *row, const char *value,
                       struct err_detail *detail)
{
	switch (row->letter) {
	case 'o':
		return set_pair(c, value, detail);
	case 'd':
		return set_debug(c, value, detail);
	case 'c':
		line->file = value;
		return ERR_OK;
	case 't':
		line->action = CONF_TEST;
		return ERR_OK;
	case 'V':
		line->action = CONF_VERSION;
		return ERR_OK;
	case 'h':
		line->action = CONF_HELP;
		return ERR_OK;
	default:
		break;
	}
	if (strcmp(row->name, "trace") == 0) {
		free(c->trace_user);
		c->trace_user = xstrdup(value);
	} else {
		free(c->state_dir);
		c->state_dir = xstrdup(value);
	}
	return ERR_OK;
}

static int apply_option(struct conf *c, struct command_line *line,
                        const struct option_row *row, const char *value,
                        struct err_detail *detail)
{
	const struct conf_key *key;
	char where[64];

	if (!row->built)
		return err_set(detail, ERR_INVALID,
		               "--%s: not built yet, leave it out", row->name);
	if (row->key == NULL)
		return apply_named(c, line, row, value, detail);
	key = conf_key_find(str_of(row->key));
	if (key->type == CONF_LISTEN) {
		if (!line->listen_seen)
			conf_clear(c, key);
		line->listen_seen = true;
		conf_append(&c->listen, value);
		return ERR_OK;
	}
	snprintf(where, sizeof(where), "--%s", row->name);
	return conf_set_text(c, key, value, where, detail);
}

/*
 * Walks the command line. The first walk (|only| set) wants just -c, -h and
 * -V, since the file comes before the other options; -o comes in the last one,
 * since it wins over all.
 */
static int walk_options(struct conf *c, struct command_line *line, int argc,
                        char **argv, const char *only, const char *but,
                        struct err_detail *detail)
{
	struct option longs[32] = { 0 };
	char shorts[64] = ":";
	size_t n = 1;
	int got, rc;

	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];

		longs[i].name = row->name;
		longs[i].has_arg =
			row->argument != NULL ? required_argument : no_argument;
		longs[i].val = OPTION_BASE + (int)i;
		if (row->letter == 0)
			continue;
		shorts[n++] = row->letter;
		if (row->argument != NULL)
			shorts[n++] = ':';
	}
	shorts[n] = '\0';
	optind = 0;
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		size_t i;

		if (got == '?' || got == ':')
			return err_set(detail, ERR_PARSE, "%s: %s",
			               argv[optind - 1],
			               got == ':' ? "its argument is missing"
			                          : "no such option");
		for (i = 0; i < option_row_count; i++)
			if (got == OPTION_BASE + (int)i ||
			    got == option_rows[i].letter)
				break;
		if (only != NULL && (option_rows[i].letter == 0 ||
		                     !strchr(only, option_rows[i].letter)))
			continue;
		if (but != NULL && option_rows[i].letter != 0 &&
		    strchr(but, option_rows[i].letter))
			continue;
		rc = apply_option(c, line, &option_rows[i], optarg, detail);
		if (rc != ERR_OK)
			return rc;
	}
	if (optind < argc)
		return err_set(detail, ERR_PARSE,
		               "%s: no such command (no command is built yet)",
		               argv[optind]);
	return ERR_OK;
}

static char *in_state(const struct conf *c, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", c->state_dir, name) < 0)
		abort();
	return path;
}

static bool is_pkcs12(const char *path)
{
	return path != NULL && (str_ends(str_of(path), STR(".p12")) ||
	                        str_ends(str_of(path), STR(".pfx")));
}

static int check_url(const char *key, const char *text, bool backend,
                     struct err_detail *detail)
{
	struct err_detail why;
	struct conf_url u;

	if (conf_url_parse(str_of(text), &u, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s: %s", key, why.text);
	if (u.scheme == CONF_IMAP_STARTTLS)
		return err_set(detail, ERR_INVALID,
		               "%s: imap+starttls:// is not built yet", key);
	if (u.scheme == CONF_HTTPS)
		return err_set(detail, ERR_INVALID,
		               "%s: an imaps:// or imap:// url is wanted", key);
	if (backend && (u.port == 0 || str_eq(u.host, STR("*"))))
		return err_set(detail, ERR_INVALID,
		               "%s: a host and a port above 0 are wanted", key);
	return ERR_OK;
}

/* What needs more than one key to judge. */
static int check(struct conf *c, struct err_detail *detail)
{
	struct conf_url u;
	int rc;

	if (c->backend_url == NULL)
		return err_set(detail, ERR_INVALID,
		               "backend.url is missing: which IMAP server? "
		               "(-b imaps://mail.example.org)");
	rc = check_url("backend.url", c->backend_url, true, detail);
	if (rc != ERR_OK)
		return rc;
	if (c->listen.count == 0)
		return err_set(detail, ERR_INVALID, "listen: is empty");
	for (size_t i = 0; i < c->listen.count; i++) {
		rc = check_url("listen", c->listen.list[i], false, detail);
		if (rc != ERR_OK)
			return rc;
		rc = conf_url_parse(str_of(c->listen.list[i]), &u, detail);
		if (rc == ERR_OK && u.scheme == CONF_IMAPS &&
		    c->tls_certificate == NULL)
			return err_set(detail, ERR_INVALID,
			               "tls.certificate is missing: %s needs "
			               "one (--tls-cert, --tls-key)",
			               c->listen.list[i]);
	}
	if (strcmp(c->watch_login, "sealed") != 0)
		return err_set(detail, ERR_INVALID,
		               "watch.login = \"%s\" is not built yet: use "
		               "\"sealed\"",
		               c->watch_login);
	if (is_pkcs12(c->apns_certificate) || is_pkcs12(c->apns_key))
		return err_set(detail, ERR_INVALID,
		               "apns.certificate: PKCS#12 files (.p12) are not "
		               "built yet: convert with openssl pkcs12 -legacy "
		               "-nodes -in FILE -out cert.pem");
	if (c->push_merge_max_ms < c->push_merge_ms)
		return err_set(detail, ERR_INVALID,
		               "push.merge_max_ms is below push.merge_ms");
	if (c->push_change_max_ms < c->push_change_delay_ms)
		return err_set(detail, ERR_INVALID,
		               "push.change_max_ms is below "
		               "push.change_delay_ms");
	return ERR_OK;
}

int conf_load(struct conf *c, int argc, char **argv, char **environ,
              enum conf_action *action_r, struct err_detail *detail)
{
	struct command_line line = { NULL, CONF_RUN, false };
	int rc;

	*c = (struct conf){ 0 };
	c->state_dir = xstrdup(CONF_STATE);
	conf_set_defaults(c);
	rc = walk_options(c, &line, argc, argv, "chV", NULL, detail);
	*action_r = line.action;
	if (rc != ERR_OK || line.action != CONF_RUN)
		return rc;
	rc = conf_set_file(c, line.file != NULL ? line.file : CONF_FILE,
	                   detail);
	if (rc == ERR_NOT_FOUND && line.file == NULL)
		rc = ERR_OK; /* only a file that was asked for must exist */
	if (rc == ERR_OK)
		rc = load_environment(c, environ, detail);
	if (rc == ERR_OK)
		rc = walk_options(c, &line, argc, argv, NULL, "o", detail);
	if (rc == ERR_OK)
		rc = walk_options(c, &line, argc, argv, "o", NULL, detail);
	if (rc != ERR_OK)
		return rc;
	if (c->store_path == NULL)
		c->store_path = in_state(c, "imapbell.db");
	if (c->watch_key_file == NULL)
		c->watch_key_file = in_state(c, "seal.key");
	*action_r = line.action;
	return check(c, detail);
}

void conf_done(struct conf *c)
{
	for (size_t i = 0; i < conf_key_count; i++)
		conf_clear(c, &conf_keys[i]);
	free(c->state_dir);
	free(c->trace_user);
	*c = (struct conf){ 0 };
}

struct log_opts conf_log_opts(const struct conf *c)
{
	static const char *const levels[] = { "error", "warn", "info",
		                              "debug" };
	static const char *const targets[] = { "stderr", "syslog", "journal" };
	struct log_opts o = { .debug_areas = c->debug_areas };

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(c->log_level, levels[i]) == 0)
			o.level = (enum log_level)i;
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(c->log_target, targets[i]) == 0)
			o.target = (enum log_target)i;
	o.format = strcmp(c->log_format, "json") == 0 ? LOG_FORMAT_JSON
	                                              : LOG_FORMAT_TEXT;
	return o;
}

void conf_help(FILE *out)
{
	fputs("usage: imapbell [-c FILE] [OPTIONS]\n\n"
	      "Stands in front of an IMAP server and makes Apple Mail push "
	      "work.\n\n",
	      out);
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];
		char left[64];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s",
		         row->letter != 0 ? '-' : ' ',
		         row->letter != 0 ? row->letter : ' ',
		         row->letter != 0 ? ',' : ' ', row->name,
		         row->argument != NULL ? " " : "",
		         row->argument != NULL ? row->argument : "");
		fprintf(out, "  %-28s %s\n", left, row->help);
	}
	fputs("\nExit: 0 done, 64 usage, 70 internal, 71 the system refused, "
	      "78 configuration.\n"
	      "Every key of the configuration may be set in the environment: "
	      "IMAPBELL_BACKEND_URL\nfor backend.url. See imapbell(8) and "
	      "imapbell.conf(5).\n",
	      out);
}
