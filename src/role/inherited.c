/* SPDX-License-Identifier: ISC */
/*
 * inherited - the protocol of sd_listen_fds(3): LISTEN_PID is who is meant,
 * LISTEN_FDS how many there are from descriptor 3 on, LISTEN_FDNAMES what they
 * are called, with colons between them.
 */
#include "role/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/address.h"
#include "net/listen.h"

enum {
	FIRST_FD = 3,
	/* More than any machine has processors, sockets for each. */
	FDS_MAX = 4096,
};

static const struct log_ctx inherited_log = { LOG_ROLE, 0 };

struct inherited {
	int *fds; /* -1: taken, or was not open */
	struct str *names;
	size_t count;
};

/* read_number reads a variable of the environment; 0: it is none. */
static uint64_t read_number(const char *name, uint64_t max)
{
	struct str text = str_of(getenv(name));
	uint64_t n;

	if (str_number(&text, max, &n) != ERR_OK || text.len > 0)
		return 0;
	return n;
}

/* count_fds is how many there are for this process. */
static size_t count_fds(void)
{
	if (read_number("LISTEN_PID", INT32_MAX) != (uint64_t)getpid())
		return 0;
	return (size_t)read_number("LISTEN_FDS", FDS_MAX);
}

/* take_name is the next of |names|. */
static struct str take_name(struct str *names)
{
	size_t len = str_find(*names, ':');
	struct str name = str_take(names, len == SIZE_MAX ? names->len : len);

	(void)str_byte(names, ':');
	return name;
}

struct inherited *inherited_take(void)
{
	struct inherited *in = xcalloc(1, sizeof(*in));
	struct str names = str_of(getenv("LISTEN_FDNAMES"));

	in->count = count_fds();
	in->fds = xcalloc(in->count, sizeof(*in->fds));
	in->names = xcalloc(in->count, sizeof(*in->names));
	for (size_t i = 0; i < in->count; i++) {
		in->fds[i] = FIRST_FD + (int)i;
		in->names[i] = str_dup(take_name(&names));
		/* Not open: the number is that of the next we open. */
		if (fcntl(in->fds[i], F_SETFD, FD_CLOEXEC) != 0)
			in->fds[i] = -1;
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return in;
}

/* take_fd is the |i|-th, the caller's from now on. */
static int take_fd(struct inherited *in, size_t i)
{
	int fd = in->fds[i];

	in->fds[i] = -1;
	return fd;
}

int inherited_find(struct inherited *in, const struct proxy_listen *where,
                   int **fds_r, size_t *count_r, struct err_detail *detail)
{
	bool *is_there = xcalloc(in->count, sizeof(*is_there));
	int *fds = xcalloc(in->count, sizeof(*fds));
	size_t count = 0;
	int rc = listen_match(where->host, where->port, in->fds, in->count,
	                      is_there, detail);

	for (size_t i = 0; rc == ERR_OK && i < in->count; i++)
		if (is_there[i])
			fds[count++] = take_fd(in, i);
	free(is_there);
	if (rc != ERR_OK) {
		free(fds);
		return rc;
	}
	*fds_r = fds;
	*count_r = count;
	return ERR_OK;
}

int inherited_find_named(struct inherited *in, const char *begin,
                         struct str *rest_r)
{
	size_t len = str_of(begin).len;

	for (size_t i = 0; i < in->count; i++) {
		if (in->fds[i] < 0 || !str_starts(in->names[i], str_of(begin)))
			continue;
		*rest_r = str_sub(in->names[i], len, in->names[i].len - len);
		return take_fd(in, i);
	}
	return -1;
}

/* warn tells of one that is of no use. */
static void warn(int fd, struct str name)
{
	struct address addr = address_local(fd);
	char text[ADDRESS_TEXT_MAX];
	struct log_text safe;

	address_print(&addr, text, sizeof(text));
	if (listen_is_ours(fd))
		log_warn(&inherited_log,
		         "LISTEN_FDS: descriptor %d (%s) listens at %s, which "
		         "no entry of `listen` names: closed",
		         fd, log_safe(name, &safe), text);
	else
		log_warn(&inherited_log,
		         "LISTEN_FDS: descriptor %d (%s) is no listening TCP "
		         "socket: closed",
		         fd, log_safe(name, &safe));
}

void inherited_free(struct inherited **inherited)
{
	struct inherited *in = *inherited;

	*inherited = NULL;
	if (in == NULL)
		return;
	for (size_t i = 0; i < in->count; i++) {
		if (in->fds[i] >= 0) {
			warn(in->fds[i], in->names[i]);
			(void)close(in->fds[i]);
		}
		str_free(&in->names[i]);
	}
	free(in->fds);
	free(in->names);
	free(in);
}
