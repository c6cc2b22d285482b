/* SPDX-License-Identifier: ISC */
/*
 * conf_check - what a value must be besides its type. Each function returns 0,
 * or ERR_INVALID with a sentence in |detail|; the caller says which key it is
 * and what set it.
 */
#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

#include "base/err.h"

/* Judges one string. */
typedef int conf_check_fn(const char *value, struct err_detail *detail);

/* Judges one entry of a list of groups. */
typedef int conf_check_entry_fn(const void *entry, struct err_detail *detail);

/* conf_check_listen: a url that clients can be waited for at. */
conf_check_fn conf_check_listen;

/* conf_check_server: the url of an IMAP server. */
conf_check_fn conf_check_server;

/* conf_check_apns: the url of a push service, or dry-run. */
conf_check_fn conf_check_apns;

/* conf_check_place: a host and a port that can be waited at. */
conf_check_fn conf_check_place;

/* conf_check_network: an address, or a network in CIDR notation. */
conf_check_fn conf_check_network;

/* conf_check_domain: what may stand behind the @ of a user. */
conf_check_fn conf_check_domain;

/* conf_check_listener: a struct conf_listen that asks for the PROXY header says
 * whom it believes. */
conf_check_entry_fn conf_check_listener;

#endif
