/* SPDX-License-Identifier: ISC */
/*
 * title - Linux shows the memory where a program found its arguments, as it is
 * now. The environment lies right behind them.
 */
#include "process/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* Of the process, as its memory is. */
static struct {
	char *begin;
	size_t len;
	char **argv;
	char **strings; /* of the environment, as it was */
	char **environ; /* of these, some may be unset */
} title;

/* move copies |list|, of which each string that lies right behind the room so
 * far makes it larger. */
static char **move(char **list, size_t count)
{
	char **copy = xcalloc(count + 1, sizeof(*copy));

	for (size_t i = 0; i < count; i++) {
		copy[i] = xstrdup(list[i]);
		if (list[i] == title.begin + title.len)
			title.len += strlen(list[i]) + 1;
	}
	return copy;
}

char **title_init(int argc, char **argv)
{
	size_t count = 0;

	if (argc < 1)
		return argv;
	title.begin = argv[0];
	title.argv = move(argv, (size_t)argc);
	while (environ[count] != NULL)
		count++;
	title.strings = move(environ, count);
	title.environ = xcalloc(count + 1, sizeof(*title.environ));
	memcpy(title.environ, title.strings, count * sizeof(*title.environ));
	environ = title.environ;
	return title.argv;
}

char **title_argv(void)
{
	return title.argv;
}

static void free_all(char ***list)
{
	if (*list == NULL)
		return;
	for (char **item = *list; *item != NULL; item++)
		free(*item);
	free(*list);
	*list = NULL;
}

void title_done(void)
{
	static char *none[] = { NULL };

	environ = none;
	free_all(&title.argv);
	free_all(&title.strings);
	free(title.environ);
	title.environ = NULL;
}

void title_set(const char *text)
{
	if (title.len == 0)
		return;
	memset(title.begin, 0, title.len);
	(void)snprintf(title.begin, title.len, "%s", text);
}
