/* SPDX-License-Identifier: ISC */
/* confine - see confine.h. */
#include "process/confine.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const struct log_ctx confine_log = { LOG_ROLE, 0 };

/* Paths on the heap. */
struct list {
	char **paths;
	size_t count;
};

static void list_add(struct list *l, char *path)
{
	l->paths = xgrow(l->paths, &l->count, sizeof(*l->paths));
	l->paths[l->count - 1] = path;
}

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->paths[i]);
	free(l->paths);
}

/* folder_of returns the folder of the file |path|, on the heap. */
static char *folder_of(const char *path)
{
	char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');

	if (slash == NULL) {
		free(folder);
		return xstrdup(".");
	}
	slash[slash == folder ? 1 : 0] = 0;
	return folder;
}

/* list_add_folder adds the folder of |path|, which may be NULL, and the one
 * where a link leads to: the file may be made or replaced in either. */
static void list_add_folder(struct list *l, const char *path)
{
	char *real;

	if (path == NULL)
		return;
	list_add(l, folder_of(path));
	real = realpath(path, NULL);
	if (real != NULL)
		list_add(l, folder_of(real));
	free(real);
}

bool confine_is_on(const struct conf *c)
{
	return c->process_sandbox && sandbox_is_possible();
}

void confine(const struct conf *c, enum sandbox_role role)
{
	struct list read = { 0 };
	struct list write = { 0 };
	struct sandbox_paths paths;
	struct err_detail why;

	if (!c->process_sandbox)
		return;
	if (role == SANDBOX_PUSH) {
		/* What could not be read at first is tried again. */
		list_add_folder(&read, c->watch_master_password_file);
		list_add_folder(&write, c->store_path);
		list_add_folder(&write, c->watch_key_file);
		list_add(&write, xstrdup(c->state_dir));
	}
	paths = (struct sandbox_paths){
		.read = (const char *const *)read.paths,
		.read_count = read.count,
		.write = (const char *const *)write.paths,
		.write_count = write.count,
	};
	if (sandbox_enter(role, &paths, &why) != ERR_OK)
		log_warn(&confine_log, "process.sandbox: %s", why.text);
	list_done(&read);
	list_done(&write);
}
