/* SPDX-License-Identifier: ISC */
/*
 * conf_table - every key, its type, range and default. The sample
 * configuration and the manual name each of them; a test compares.
 */
#include "conf/conf_table.h"

#include "conf/conf.h"

/* What SIGHUP does: LIVE keys change, for those of START it takes a restart. */
#define LIVE true
#define START false

#define KEY(key, kind, owner, field, ...)                        \
	{                                                        \
		.path = (key), .offset = offsetof(owner, field), \
		.type = (kind), __VA_ARGS__                      \
	}
#define ROW(key, live, kind, field, ...) \
	KEY(key, kind, struct conf, field, .is_live = (live), __VA_ARGS__)
#define STRING(path, live, field, default) \
	ROW(path, live, CONF_STRING, field, .fallback = (default))
#define CHECKED(path, live, field, default, is_fit)                \
	ROW(path, live, CONF_STRING, field, .fallback = (default), \
	    .check = (is_fit))
#define STRINGS(path, live, field) \
	ROW(path, live, CONF_STRINGS, field, .fallback = NULL)
#define CHOICE(path, live, field, default, words)                  \
	ROW(path, live, CONF_CHOICE, field, .fallback = (default), \
	    .choices = (words))
#define NUMBER(path, live, field, least, most, default)                    \
	ROW(path, live, CONF_NUMBER, field, .min = (least), .max = (most), \
	    .fallback = (default))
#define BOOL(path, live, field, default) \
	ROW(path, live, CONF_BOOL, field, .fallback = (default))
#define GROUPS(path, live, field, default, entry)                  \
	ROW(path, live, CONF_GROUPS, field, .fallback = (default), \
	    .group = &(entry))

/* A member of an entry is called as its field is. */
#define MEMBER(owner, name, kind, ...) \
	KEY(#name, kind, struct owner, name, __VA_ARGS__)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DAY_S 86400u
#define HOUR_MS 3600000u

/* How the server learns the client's address. */
#define FORWARDS "none proxy-v1 proxy-v2 id"

/* clang-format off */
static const struct conf_key listen_members[] = {
	MEMBER(conf_listen, url, CONF_STRING, .check = conf_check_listen,
	       .required = true),
	MEMBER(conf_listen, proxy_protocol, CONF_BOOL, .fallback = "false"),
	MEMBER(conf_listen, proxy_trusted, CONF_STRINGS,
	       .check = conf_check_network),
};

static const struct conf_key certificate_members[] = {
	MEMBER(conf_certificate, certificate, CONF_STRING, .required = true),
	MEMBER(conf_certificate, key, CONF_STRING, .fallback = NULL),
};

static const struct conf_key route_members[] = {
	MEMBER(conf_route, domain, CONF_STRING, .check = conf_check_domain,
	       .required = true),
	MEMBER(conf_route, url, CONF_STRING, .check = conf_check_server,
	       .required = true),
	MEMBER(conf_route, ca, CONF_STRING, .fallback = NULL),
	MEMBER(conf_route, verify, CONF_BOOL, .fallback = "true"),
	MEMBER(conf_route, name, CONF_STRING, .fallback = NULL),
	MEMBER(conf_route, forward, CONF_CHOICE, .fallback = "none",
	       .choices = FORWARDS),
};
/* clang-format on */

static const struct conf_group listen_group = {
	.members = listen_members,
	.count = COUNT(listen_members),
	.size = sizeof(struct conf_listen),
	.check = conf_check_listener,
	.is_bare = true,
};

static const struct conf_group certificate_group = {
	.members = certificate_members,
	.count = COUNT(certificate_members),
	.size = sizeof(struct conf_certificate),
};

static const struct conf_group route_group = {
	.members = route_members,
	.count = COUNT(route_members),
	.size = sizeof(struct conf_route),
	.is_unique = true,
};

/* clang-format off */
const struct conf_key conf_keys[] = {
	GROUPS("listen", START, listen, "(\"imaps://*:993\")", listen_group),
	STRING("tls.certificate", LIVE, tls_certificate, NULL),
	STRING("tls.key", LIVE, tls_key, NULL),
	GROUPS("tls.certificates", LIVE, tls_certificates, NULL,
	       certificate_group),
	CHOICE("tls.min_version", LIVE, tls_min_version, "1.2", "1.2 1.3"),
	STRING("tls.ciphers", LIVE, tls_ciphers, NULL),
	STRING("tls.ciphersuites", LIVE, tls_ciphersuites, NULL),
	STRING("tls.groups", LIVE, tls_groups, NULL),
	CHECKED("backend.url", START, backend_url, NULL, conf_check_server),
	STRING("backend.ca", START, backend_ca, NULL),
	BOOL("backend.verify", START, backend_verify, "true"),
	STRING("backend.name", START, backend_name, NULL),
	CHOICE("backend.forward", START, backend_forward, "none", FORWARDS),
	GROUPS("routes", START, routes, NULL, route_group),
	STRINGS("capability.hide", START, capability_hide),
	NUMBER("limits.sessions", LIVE, limits_sessions, 1, 1000000, "10000"),
	NUMBER("limits.logins_pending_per_address", LIVE,
	       limits_logins_pending_per_address, 1, 1000000, "20"),
	NUMBER("limits.login_failures", LIVE, limits_login_failures, 1, 1000,
	       "5"),
	NUMBER("timeouts.login_s", LIVE, timeouts_login_s, 1, DAY_S, "60"),
	NUMBER("timeouts.idle_s", LIVE, timeouts_idle_s, 1, DAY_S, "1860"),
	BOOL("users.lowercase", START, users_lowercase, "false"),
	CHECKED("users.default_domain", START, users_default_domain, NULL,
	        conf_check_domain),
	BOOL("push.enabled", START, push_enabled, "true"),
	STRINGS("push.allow", LIVE, push_allow),
	STRINGS("push.deny", LIVE, push_deny),
	NUMBER("push.merge_ms", LIVE, push_merge_ms, 1, HOUR_MS, "2000"),
	NUMBER("push.merge_max_ms", LIVE, push_merge_max_ms, 1, HOUR_MS,
	       "60000"),
	NUMBER("push.change_delay_ms", LIVE, push_change_delay_ms, 1, HOUR_MS,
	       "20000"),
	NUMBER("push.change_max_ms", LIVE, push_change_max_ms, 1, HOUR_MS,
	       "60000"),
	BOOL("push.wake", LIVE, push_wake, "true"),
	NUMBER("push.device_ttl_days", LIVE, push_device_ttl_days, 1, 3650,
	       "30"),
	NUMBER("push.devices_per_user", LIVE, push_devices_per_user, 1, 1000,
	       "20"),
	NUMBER("push.mailboxes_per_device", LIVE, push_mailboxes_per_device, 1,
	       1000, "64"),
	CHECKED("apns.url", START, apns_url, "https://api.push.apple.com",
	        conf_check_apns),
	STRING("apns.ca", LIVE, apns_ca, NULL),
	STRING("apns.certificate", LIVE, apns_certificate, NULL),
	STRING("apns.key", LIVE, apns_key, NULL),
	STRING("apns.topic", LIVE, apns_topic, NULL),
	STRING("apns.push_type", LIVE, apns_push_type, "background"),
	NUMBER("apns.priority", LIVE, apns_priority, 0, 10, "5"),
	NUMBER("apns.expiration_s", LIVE, apns_expiration_s, 1, 30 * DAY_S,
	       "86400"),
	NUMBER("apns.request_timeout_s", LIVE, apns_request_timeout_s, 1, 3600,
	       "15"),
	NUMBER("apns.retry_s", LIVE, apns_retry_s, 1, DAY_S, "900"),
	NUMBER("apns.in_flight_max", LIVE, apns_in_flight_max, 1, 10000, "250"),
	CHOICE("watch.login", START, watch_login, "sealed",
	       "sealed session master"),
	STRING("watch.master_user", START, watch_master_user, NULL),
	STRING("watch.master_password_file", START, watch_master_password_file,
	       NULL),
	CHOICE("watch.master_style", START, watch_master_style, "authzid",
	       "authzid separator"),
	STRING("watch.master_separator", START, watch_master_separator, "*"),
	STRING("watch.key_file", START, watch_key_file, NULL),
	NUMBER("watch.poll_s", LIVE, watch_poll_s, 1, DAY_S, "60"),
	NUMBER("watch.renew_s", LIVE, watch_renew_s, 1, DAY_S, "1740"),
	NUMBER("watch.connections_max", LIVE, watch_connections_max, 1, 1000000,
	       "10000"),
	NUMBER("watch.connect_rate", LIVE, watch_connect_rate, 1, 100000, "20"),
	STRING("store.path", START, store_path, NULL),
	CHECKED("status.listen", START, status_listen, NULL, conf_check_place),
	CHOICE("log.level", LIVE, log_level, "info", "error warn info debug"),
	CHOICE("log.format", LIVE, log_format, "text", "text json"),
	CHOICE("log.target", LIVE, log_target, "stderr",
	       "stderr syslog journal"),
	NUMBER("process.workers", START, process_workers, 0, 256, NULL),
	NUMBER("process.drain_s", LIVE, process_drain_s, 1, DAY_S, "25"),
	STRING("process.user", START, process_user, "imapbell"),
	STRING("process.group", START, process_group, NULL),
	BOOL("process.sandbox", START, process_sandbox, "true"),
};
/* clang-format on */

const size_t conf_key_count = COUNT(conf_keys);

const struct conf_key *conf_key_find(struct str path)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (str_eq(str_of(conf_keys[i].path), path))
			return &conf_keys[i];
	return NULL;
}

bool conf_key_is_group(struct str path)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		struct str key = str_of(conf_keys[i].path);

		if (key.len > path.len && str_starts(key, path) &&
		    key.data[path.len] == '.')
			return true;
	}
	return false;
}
