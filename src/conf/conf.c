/* SPDX-License-Identifier: ISC */
/* conf - see conf.h. The layers in their order, then a look at the whole. */
#include "conf/conf.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/command.h"
#include "conf/conf_set.h"
#include "conf/conf_table.h"
#include "conf/conf_whole.h"
#include "conf/option.h"

#define CONF_FILE "/etc/imapbell/imapbell.conf"
#define CONF_STATE "/var/lib/imapbell"
#define ENV_PREFIX "IMAPBELL_"

static const struct log_ctx conf_log = { LOG_CONF, 0 };

/* Of all commands, in a row. */
#define COMMAND_NAMES_MAX ((size_t)256)

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
	const struct command_row *command; /* NULL: none was given */
	bool listen_seen;
};

/* Options that are not just another name of a key. */
static int apply_named(struct conf *c, struct command_line *line,
                       const struct option_row *row, const char *value,
                       struct err_detail *detail)
{
	switch (row->letter) {
	case 'o':
		return conf_set_pair(c, value, "-o", detail);
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
	if (strcmp(row->name, "json") == 0) {
		c->json = true;
	} else if (strcmp(row->name, "trace") == 0) {
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

	if (row->key == NULL)
		return apply_named(c, line, row, value, detail);
	key = conf_key_find(str_of(row->key));
	if (key->type == CONF_GROUPS) {
		if (!line->listen_seen)
			conf_clear(c, key);
		line->listen_seen = true;
		return conf_add(c, key, value, "--listen", detail);
	}
	snprintf(where, sizeof(where), "--%s", row->name);
	return conf_set_text(c, key, value, where, detail);
}

/* There is no such command as |word|: say which there are. */
static int bad_command(const char *word, struct err_detail *detail)
{
	struct log_text safe;
	struct buf names;
	int rc = ERR_OK;

	buf_init(&names, COMMAND_NAMES_MAX);
	for (size_t i = 0; i < command_row_count && rc == ERR_OK; i++)
		if (command_rows[i].help != NULL)
			rc = buf_printf(&names, " %s", command_rows[i].name);
	rc = err_set(detail, ERR_PARSE, "%s: no such command, there is:%.*s",
	             log_safe(str_of(word), &safe), (int)names.len, names.data);
	buf_reset(&names);
	return rc;
}

/* |words| are what is no option: a command, and nothing behind it yet. */
static int take_command(struct command_line *line, char **words,
                        struct err_detail *detail)
{
	const struct command_row *row = command_find(str_of(words[0]));

	if (row == NULL)
		return bad_command(words[0], detail);
	if (row->help == NULL)
		return err_set(detail, ERR_PARSE, "%s: not built yet",
		               row->name);
	if (words[1] != NULL)
		return err_set(detail, ERR_PARSE, "%s: takes no argument",
		               row->name);
	line->command = row;
	return ERR_OK;
}

/* What getopt_long did not like: |got| is ":" or "?", optopt says more. */
static int bad_option(const char *word, int got, struct err_detail *detail)
{
	char letter[] = "-?";

	if (optopt > 0 && optopt < OPTION_BASE) { /* |word| may be another */
		letter[1] = (char)optopt;
		word = letter;
	}
	if (got == ':')
		return err_set(detail, ERR_PARSE, "%s: its argument is missing",
		               word);
	if (optopt >= OPTION_BASE)
		return err_set(detail, ERR_PARSE, "%s: takes no argument",
		               word);
	return err_set(detail, ERR_PARSE, "%s: no such option", word);
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
			return bad_option(argv[optind - 1], got, detail);
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
	return optind < argc ? take_command(line, argv + optind, detail)
	                     : ERR_OK;
}

/* What it all comes to: a run, what an option asks for, or a command. */
static int find_action(const struct conf *c, const struct command_line *line,
                       enum conf_action *action_r, struct err_detail *detail)
{
	if (line->command == NULL && c->json)
		return err_set(detail, ERR_PARSE,
		               "--json: only a command prints any");
	if (line->command != NULL && line->action == CONF_TEST)
		return err_set(detail, ERR_PARSE, "-t: not with a command");
	*action_r =
		line->command != NULL ? line->command->action : line->action;
	return ERR_OK;
}

/* load_file reads the file that |asked| names, which must exist then, or the
 * usual one. */
static int load_file(struct conf *c, const char *asked,
                     struct err_detail *detail)
{
	const char *path = asked != NULL ? asked : CONF_FILE;
	int rc = conf_set_file(c, path, detail);

	if (rc == ERR_NOT_FOUND && asked == NULL)
		return ERR_OK;
	if (rc == ERR_OK)
		c->file = xstrdup(path);
	return rc;
}

static char *in_state(const struct conf *c, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", c->state_dir, name) < 0)
		abort();
	return path;
}

/* count_cores: those that this process may use, as many as there may be
 * workers. */
static unsigned count_cores(void)
{
	unsigned max = conf_key_find(STR("process.workers"))->max;
	unsigned count = 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = (unsigned)CPU_COUNT(&set);
	return count < max ? count : max;
}

int conf_load(struct conf *c, int argc, char **argv, char **environ,
              enum conf_action *action_r, struct err_detail *detail)
{
	struct command_line line = { .action = CONF_RUN };
	int rc;

	*c = (struct conf){ .argc = argc, .argv = argv };
	c->state_dir = xstrdup(CONF_STATE);
	conf_set_defaults(c);
	c->process_workers = count_cores();
	rc = walk_options(c, &line, argc, argv, "chV", NULL, detail);
	*action_r = line.action;
	if (rc != ERR_OK || line.action != CONF_RUN)
		return rc;
	rc = load_file(c, line.file, detail);
	if (rc == ERR_OK)
		rc = load_environment(c, environ, detail);
	if (rc == ERR_OK)
		rc = walk_options(c, &line, argc, argv, NULL, "o", detail);
	if (rc == ERR_OK)
		rc = walk_options(c, &line, argc, argv, "o", NULL, detail);
	if (rc == ERR_OK)
		rc = find_action(c, &line, action_r, detail);
	if (rc != ERR_OK)
		return rc;
	if (c->store_path == NULL)
		c->store_path = in_state(c, "imapbell.db");
	if (c->watch_key_file == NULL)
		c->watch_key_file = in_state(c, "seal.key");
	return conf_whole_check(c, detail);
}

void conf_done(struct conf *c)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		conf_clear(c, &conf_keys[i]);
		if (c->origins != NULL)
			free(c->origins[i]);
	}
	free(c->origins);
	free(c->state_dir);
	free(c->trace_user);
	free(c->file);
	*c = (struct conf){ 0 };
}

void conf_strings_add(struct conf_strings *s, const char *text)
{
	s->list = xgrow(s->list, &s->count, sizeof(*s->list));
	s->list[s->count - 1] = xstrdup(text);
}

void conf_strings_done(struct conf_strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->list[i]);
	free(s->list);
	*s = (struct conf_strings){ NULL, 0 };
}

struct str *conf_strs(const struct conf_strings *s)
{
	struct str *list = xcalloc(s->count, sizeof(*list));

	for (size_t i = 0; i < s->count; i++)
		list[i] = str_of(s->list[i]);
	return list;
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
