/* SPDX-License-Identifier: ISC */
/* notify - a datagram of lines to the socket that the environment names. */
#include "process/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static const struct log_ctx notify_log = { LOG_ROLE, 0 };

/* find_socket writes its address; a name that begins with @ is abstract. */
static socklen_t find_socket(struct sockaddr_un *addr)
{
	struct str path = str_of(getenv("NOTIFY_SOCKET"));

	if (path.len < 2 || path.len >= sizeof(addr->sun_path) ||
	    (path.data[0] != '/' && path.data[0] != '@'))
		return 0;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, path.data, path.len);
	if (path.data[0] == '@')
		addr->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
}

static void tell(const char *text)
{
	struct sockaddr_un addr;
	socklen_t len = find_socket(&addr);
	int fd;

	if (len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	                     (const struct sockaddr *)&addr, len) < 0)
		log_warn(&notify_log, "the service manager is not told: %s",
		         strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

void notify_ready(const char *status)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%s\n", status);
	tell(text);
}

void notify_reloading(void)
{
	struct timespec now = { 0 };
	char text[96];

	/* So that a reload can be told from one before (systemd 253). */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text),
	               "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading\n",
	               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(text);
}

void notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=waiting for sessions to end\n");
}

void notify_main(pid_t pid)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "MAINPID=%d\n", (int)pid);
	tell(text);
}

void notify_status(const char *text)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "STATUS=%s\n", text);
	tell(line);
}

/* read_number reads a variable of the environment; 0 if it is none. */
static uint64_t read_number(const char *name)
{
	struct str text = str_of(getenv(name));
	uint64_t n;

	if (str_number(&text, INT64_MAX, &n) != ERR_OK || text.len > 0)
		return 0;
	return n;
}

struct watchdog {
	struct loop_timer *timer;
	uint64_t pause_ms;
	bool holds;
};

static void on_pause(void *arg)
{
	struct watchdog *w = arg;

	if (!w->holds)
		tell("WATCHDOG=1\n");
	loop_timer_set(w->timer, w->pause_ms);
}

void watchdog_hold(struct watchdog *w, bool holds)
{
	if (w != NULL)
		w->holds = holds;
}

uint64_t watchdog_ms(void)
{
	uint64_t pid = read_number("WATCHDOG_PID");

	return pid == 0 || pid == (uint64_t)getpid()
	               ? read_number("WATCHDOG_USEC") / 1000
	               : 0;
}

struct watchdog *watchdog_new(struct loop *loop)
{
	uint64_t patience_ms = watchdog_ms();
	struct watchdog *w;

	if (patience_ms < 2)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->pause_ms = patience_ms / 2;
	w->timer = loop_timer_new(loop, on_pause, w);
	/* At once: who said so before may have done it a pause ago. */
	loop_timer_set(w->timer, 0);
	return w;
}

void watchdog_free(struct watchdog **watchdog)
{
	struct watchdog *w = *watchdog;

	*watchdog = NULL;
	if (w == NULL)
		return;
	loop_timer_free(&w->timer);
	free(w);
}
