/* SPDX-License-Identifier: ISC */
/*
 * conf - the configuration of a run: defaults, then the file, then the
 * environment, then the command line. Whatever is wrong is reported with file,
 * line and key, and nothing is started.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

/* A list of strings; owned. */
struct conf_strings {
	char **list;
	size_t count;
};

/* An entry of `listen`. */
struct conf_listen {
	char *url;
	bool proxy_protocol;
	struct conf_strings proxy_trusted; /* addresses and networks */
};

struct conf_listens {
	struct conf_listen *list;
	size_t count;
};

/* An entry of `tls.certificates`. */
struct conf_certificate {
	char *certificate;
	char *key; /* NULL: in the certificate's file */
};

struct conf_certificates {
	struct conf_certificate *list;
	size_t count;
};

/* An entry of `routes`: the server for the users of a domain. */
struct conf_route {
	char *domain;
	char *url;
	char *ca;
	char *name;
	char *forward;
	bool verify;
};

struct conf_routes {
	struct conf_route *list;
	size_t count;
};

/* One field for each key of conf_table.c; strings are owned, NULL if not set
 * and without default. */
struct conf {
	struct conf_listens listen;

	char *tls_certificate;
	char *tls_key;
	struct conf_certificates tls_certificates;
	char *tls_min_version;
	char *tls_ciphers;
	char *tls_ciphersuites;
	char *tls_groups;

	char *backend_url;
	char *backend_ca;
	char *backend_name;
	char *backend_forward;
	bool backend_verify;

	struct conf_routes routes;

	struct conf_strings capability_hide;

	unsigned limits_sessions;
	unsigned limits_logins_pending_per_address;
	unsigned limits_login_failures;
	unsigned timeouts_login_s;
	unsigned timeouts_idle_s;

	bool users_lowercase;
	char *users_default_domain;

	struct conf_strings push_allow;
	struct conf_strings push_deny;
	bool push_enabled;
	bool push_wake;
	unsigned push_merge_ms;
	unsigned push_merge_max_ms;
	unsigned push_change_delay_ms;
	unsigned push_change_max_ms;
	unsigned push_device_ttl_days;
	unsigned push_devices_per_user;
	unsigned push_mailboxes_per_device;

	char *apns_url;
	char *apns_ca;
	char *apns_certificate;
	char *apns_key;
	char *apns_topic;
	char *apns_push_type;
	unsigned apns_priority;
	unsigned apns_expiration_s;
	unsigned apns_request_timeout_s;
	unsigned apns_retry_s;
	unsigned apns_in_flight_max;

	char *watch_login;
	char *watch_master_user;
	char *watch_master_password_file;
	char *watch_master_style;
	char *watch_master_separator;
	char *watch_key_file; /* default: STATE/seal.key */
	unsigned watch_poll_s;
	unsigned watch_renew_s;
	unsigned watch_connections_max;
	unsigned watch_connect_rate;

	char *store_path; /* default: STATE/imapbell.db */

	char *status_listen; /* NULL: no HTTP */

	char *log_level;
	char *log_format;
	char *log_target;

	unsigned process_workers; /* 0: all in one; default: the cores */
	unsigned process_drain_s;
	char *process_user;  /* who root becomes */
	char *process_group; /* NULL: the user's own */
	bool process_sandbox;

	/* From the command line only. */
	int argc;
	char **argv; /* of conf_load; borrowed */
	uint32_t debug_areas;
	char *state_dir;
	char *trace_user; /* NULL: none */
	char *file;       /* that was read; NULL: there was none */
	bool json;        /* what a command prints is for scripts */

	/* What set each key, in the order of conf_table.c; see conf_origin. */
	char **origins;
};

/* What the command line asked for. */
enum conf_action {
	CONF_RUN,
	CONF_TEST,    /* -t */
	CONF_CHECK,   /* the command of that name */
	CONF_VERSION, /* -V */
	CONF_HELP     /* -h */
};

/*
 * conf_load makes |c| from the command line, |environ| and the file they name.
 * Results: 0; ERR_PARSE, the command line itself is wrong (exit 64);
 * ERR_INVALID, ERR_NOT_FOUND, ERR_PERMISSION, something configured is wrong
 * (exit 78), each with a sentence in |detail| that names file and line, or the
 * option, and the key. |c| is freed with conf_done in every case. Names in the
 * environment that mean nothing are warned about.
 */
int conf_load(struct conf *c, int argc, char **argv, char **environ,
              enum conf_action *action_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

void conf_done(struct conf *c);

/* conf_strings_add appends a copy of |text|; conf_strings_done frees all. */
void conf_strings_add(struct conf_strings *s, const char *text);
void conf_strings_done(struct conf_strings *s);

/* conf_strs returns the strings of |s| as an array, to be freed with free; they
 * stay those of |s|. */
struct str *conf_strs(const struct conf_strings *s);

/* conf_log_opts reads log.level, log.format, log.target and -d. */
struct log_opts conf_log_opts(const struct conf *c);

#endif
