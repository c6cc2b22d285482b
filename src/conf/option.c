/* SPDX-License-Identifier: ISC */
/* option - one row per option; --help is printed from it. */
#include "conf/option.h"

/* clang-format off */
const struct option_row option_rows[] = {
	{ "config", 'c', "FILE", NULL,
	  "configuration file (default /etc/imapbell/imapbell.conf)" },
	{ "listen", 'l', "URL", "listen",
	  "imaps://, imap+starttls:// or imap://HOST:PORT; repeatable; port 0: a free one" },
	{ "backend", 'b', "URL", "backend.url",
	  "the IMAP server: imaps://, imap+starttls:// or imap://HOST[:PORT]" },
	{ "backend-ca", 0, "FILE", "backend.ca",
	  "trust anchors for the backend (default: the system's)" },
	{ "tls-cert", 0, "FILE", "tls.certificate",
	  "certificate chain of the listeners, PEM" },
	{ "tls-key", 0, "FILE", "tls.key",
	  "its key, PEM (default: in the certificate's file)" },
	{ "apns", 0, "URL", "apns.url",
	  "default https://api.push.apple.com; dry-run: log instead of send" },
	{ "apns-cert", 0, "FILE", "apns.certificate",
	  "certificate from Apple, PEM" },
	{ "apns-key", 0, "FILE", "apns.key",
	  "its key, PEM (default: in the certificate's file)" },
	{ "apns-ca", 0, "FILE", "apns.ca",
	  "trust anchors for a private APNs stand-in" },
	{ "apns-topic", 0, "TOPIC", "apns.topic",
	  "default: read from the certificate; required for dry-run" },
	{ "state", 0, "DIR", NULL,
	  "database and sealing key (default /var/lib/imapbell)" },
	{ "watch-login", 0, "MODE", "watch.login",
	  "where the watcher's login comes from: sealed or master" },
	{ "workers", 0, "N", "process.workers",
	  "processes that face clients (default: one per core); 0: all in one" },
	{ "status", 0, "HOST:PORT", "status.listen",
	  "HTTP for a status page, health checks and metrics; off if absent" },
	{ "set", 'o', "KEY=VALUE", NULL,
	  "set any configuration key; wins over all" },
	{ "debug", 'd', "AREA[,AREA]", NULL,
	  "debug lines of conf, net, tls, imap, proxy, push, watch, apns, "
	  "store, role or all" },
	{ "trace", 0, "USER", NULL,
	  "log the IMAP lines of that user, secrets blanked; all: everyone's" },
	{ "json", 0, NULL, NULL,
	  "a command prints JSON, for scripts" },
	{ "test", 't', NULL, NULL,
	  "check the configuration and the files it names, then exit" },
	{ "version", 'V', NULL, NULL, "print the version, then exit" },
	{ "help", 'h', NULL, NULL, "print this, then exit" },
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);
