/* SPDX-License-Identifier: ISC */
/*
 * err - what a function that can fail returns, and the sentence that goes
 * with it. The code says what the caller may do; the detail names the culprit
 * for a person.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_MORE = -1,         /* incomplete: feed more input */
	ERR_PARSE = -2,        /* malformed: more input will not help */
	ERR_LIMIT = -3,        /* a ceiling was reached */
	ERR_IO = -4,           /* disk or socket refused */
	ERR_TIMEOUT = -5,      /* a deadline passed */
	ERR_DNS = -6,          /* a name did not resolve */
	ERR_TLS = -7,          /* the handshake failed */
	ERR_CLOSED = -8,       /* the peer ended the connection */
	ERR_AUTH = -9,         /* credentials refused or not usable */
	ERR_NOT_FOUND = -10,   /* no such thing */
	ERR_INVALID = -11,     /* configuration or file content is wrong */
	ERR_PERMISSION = -12,  /* the system refused: bind, open, ownership */
	ERR_CANCELED = -13,    /* the asker went away or we are stopping */
	ERR_UNAVAILABLE = -14, /* cannot be done now, may work later */
	ERR_UNTRUSTED = -15    /* the server's certificate is not believed */
};

/*
 * err_text returns a short English name of |rc|, for a log line. The string is
 * static. Any value is accepted.
 */
const char *err_text(int rc);

/* A sentence for a person. Empty when |text[0]| is 0. */
struct err_detail {
	char text[384];
};

/*
 * err_set formats a sentence into |detail|, which may be NULL, and returns
 * |rc|, so that a failing path is one line. Peer-controlled bytes must have
 * gone through log_safe before they come here.
 */
int err_set(struct err_detail *detail, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
