/* SPDX-License-Identifier: ISC */
/*
 * service_server - the push process' end of the channels to workers: what they
 * ask is asked of the service here. A worker faces the internet and is not
 * trusted: who says what makes no sense is reported and heard no more, who asks
 * too much waits.
 */
#ifndef PROCESS_SERVICE_SERVER_H
#define PROCESS_SERVICE_SERVER_H

#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "push/service.h"

struct service_server;

/* The worker with process id |pid| said what makes no sense; its channel is
 * closed. */
typedef void service_culprit_fn(void *arg, uint32_t pid);

/* service_server_new serves |service|, one of service_local_new; |key| as in
 * service_remote_opts. Both borrowed. */
struct service_server *service_server_new(struct loop *loop,
                                          struct service *service,
                                          struct str key,
                                          service_culprit_fn *culprit,
                                          void *arg);

/* service_server_add hears the worker with process id |pid| on |fd|, its own
 * from now on, in place of the channel that worker had before. */
void service_server_add(struct service_server *s, uint32_t pid, int fd);

/* service_server_free closes the channels; before the service ends. */
void service_server_free(struct service_server **s);

#endif
