/* SPDX-License-Identifier: ISC */
/* option - one row per option; --help is printed from it. */
#include "conf/option.h"

/* clang-format off */
const struct option_row option_rows[] = {
	{ "config", 'c', "FILE", NULL, true,
	  "configuration file (default /etc/imapbell/imapbell.conf)" },
	{ "listen", 'l', "URL", "listen", true,
	  "imaps://, imap+starttls:// or imap://HOST:PORT; repeatable; port 0: a free one" },
	{ "backend", 'b', "URL", "backend.url", true,
	  "the IMAP server: imaps://HOST[:PORT] or imap://HOST[:PORT]" },
	{ "backend-ca", 0, "FILE", "backend.ca", true,
	  "trust anchors for the backend (default: the system's)" },
	{ "tls-cert", 0, "FILE", "tls.certificate", true,
	  "certificate chain of the listeners, PEM" },
	{ "tls-key", 0, "FILE", "tls.key", true,
	  "its key, PEM (default: in the certificate's file)" },
	{ "apns", 0, "URL", "apns.url", true,
	  "default https://api.push.apple.com; dry-run: log instead of send" },
	{ "apns-cert", 0, "FILE", "apns.certificate", true,
	  "certificate from Apple, PEM" },
	{ "apns-key", 0, "FILE", "apns.key", true,
	  "its key, PEM (default: in the certificate's file)" },
	{ "apns-ca", 0, "FILE", "apns.ca", true,
	  "trust anchors for a private APNs stand-in" },
	{ "apns-topic", 0, "TOPIC", "apns.topic", true,
	  "default: read from the certificate; required for dry-run" },
	{ "state", 0, "DIR", NULL, true,
	  "database and sealing key (default /var/lib/imapbell)" },
	{ "watch-login", 0, "MODE", "watch.login", true,
	  "where the watcher's login comes from: sealed or master" },
	{ "workers", 0, "N", "process.workers", true,
	  "processes that face clients (default 0: all in one process)" },
	{ "status", 0, "HOST:PORT", "status.listen", true,
	  "HTTP for a status page, health checks and metrics; off if absent" },
	{ "set", 'o', "KEY=VALUE", NULL, true,
	  "set any configuration key; wins over all" },
	{ "debug", 'd', "AREA[,AREA]", NULL, true,
	  "debug lines of conf, net, tls, imap, proxy, push, watch, apns, "
	  "store, role or all" },
	{ "trace", 0, "USER", NULL, true,
	  "log the IMAP lines of that user, secrets blanked; all: everyone's" },
	{ "json", 0, NULL, NULL, true,
	  "a command prints JSON, for scripts" },
	{ "test", 't', NULL, NULL, true,
	  "check the configuration and the files it names, then exit" },
	{ "version", 'V', NULL, NULL, true, "print the version, then exit" },
	{ "help", 'h', NULL, NULL, true, "print this, then exit" },
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);
