/* SPDX-License-Identifier: ISC */
/*
 * client - what each frame of a client leads to: the head of a command is
 * looked up in intercept's table and then forwarded, gathered for the one who
 * answers it, or refused.
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include "base/str.h"
#include "imap/framer.h"

struct session;

/* client_on_frame takes the next frame; the input is one that is read. */
void client_on_frame(struct session *s, const struct imap_frame *frame);

/* client_tag is the tag at the front of a command, empty if it is not valid. */
struct str client_tag(struct str command);

/* client_release goes on with a held first line if it need not wait any
 * longer. */
void client_release(struct session *s);

#endif
