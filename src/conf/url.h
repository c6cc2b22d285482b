/* SPDX-License-Identifier: ISC */
/* url - the addresses an operator writes: imaps://host:port and its kin. */
#ifndef CONF_URL_H
#define CONF_URL_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum conf_scheme {
	CONF_IMAP,          /* plain; default port 143 */
	CONF_IMAPS,         /* implicit TLS; default port 993 */
	CONF_IMAP_STARTTLS, /* imap+starttls; default port 143 */
	CONF_HTTPS,         /* default port 443 */
	CONF_HTTP           /* of conf_place_parse alone */
};

struct conf_url {
	enum conf_scheme scheme;
	struct str host; /* without brackets; "*" as it is; in the text */
	uint16_t port;   /* 0 only if written so */
};

/*
 * conf_url_parse reads `scheme://host[:port]`, an IPv6 address in brackets.
 * Results: 0; ERR_INVALID with a sentence that says what is wrong. |text| lives
 * as long as |u_r|.
 */
int conf_url_parse(struct str text, struct conf_url *u_r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_place_parse reads `host:port` in the same way. */
int conf_place_parse(struct str text, struct conf_url *u_r,
                     struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
