/* SPDX-License-Identifier: ISC */
/*
 * replay - runs the whole of imapbell against scripts: what clients, the
 * backend and APNs say, what the store does, and how time passes. README.md
 * has the format.
 *
 *	replay [-bv] FILE.rpl|FOLDER ...
 *
 * Each script runs in a process of its own. The exit status is 1 if one of them
 * failed; -v prints the transcript of each, and with -b whatever imapbell reads
 * comes octet by octet, which must change nothing.
 */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "replay/conn.h"
#include "replay/house.h"
#include "replay/script.h"
#include "replay/steps.h"
#include "replay/transcript.h"

enum { PATH_MAX_LEN = 1024, END_LINES = 60 };

#define TRANSCRIPT_MAX ((size_t)256 * 1024 * 1024)

static bool verbose;
static struct str pending; /* the step that started the process */

/* play_inside runs steps while the process lives. */
static void play_inside(void)
{
	struct str step;

	if (pending.len > 0)
		steps_run(pending);
	pending = STR_NULL;
	while (house_lives() && script_next(&step))
		steps_run(step);
	if (house_lives())
		steps_end();
}

/* play_script runs one script to its end, or ends the program. */
static void play_script(const char *path, const char *folder, const char *log)
{
	struct str step;

	transcript_open(log);
	script_open(path);
	house_init(folder);
	while (script_next(&step)) {
		if (steps_needs_process(step) && !house_has_ended()) {
			pending = step;
			house_run(play_inside);
		} else {
			steps_run(step);
		}
		while (house_wants_start())
			house_run(play_inside);
	}
	if (house_has_ended())
		steps_end();
	house_done();
	script_close();
	transcript_free();
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* print_end prints the last |count| lines of the file |path|. */
static void print_end(const char *path, size_t count)
{
	struct buf text;
	struct err_detail why;
	size_t at;

	buf_init(&text, TRANSCRIPT_MAX);
	if (file_read(path, &text, &why) != ERR_OK)
		(void)fprintf(stderr, "%s\n", why.text);
	for (at = text.len; at > 0; at--)
		if (text.data[at - 1] == '\n' && count-- == 0)
			break;
	if (text.len > at)
		(void)fwrite(text.data + at, 1, text.len - at, stdout);
	buf_reset(&text);
}

/* run_child runs the script at |path| in a process of its own; returns how it
 * ended. */
static int run_child(const char *path, const char *folder, const char *log)
{
	int status = -1;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		play_script(path, folder, log);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		perror("fork");
	return status;
}

/* run_script returns whether the script at |path| passes. */
static bool run_script(const char *path)
{
	char folder[] = "/tmp/replay.XXXXXX";
	char log[64];
	int status;

	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return false;
	}
	(void)snprintf(log, sizeof(log), "%s/transcript", folder);
	status = run_child(path, folder, log);
	if (status != 0)
		print_end(log, END_LINES);
	else if (verbose)
		print_end(log, SIZE_MAX);
	if (WIFSIGNALED(status))
		(void)printf("it crashed: signal %d\n", WTERMSIG(status));
	(void)printf("%s %s\n", status == 0 ? "ok  " : "FAIL", path);
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return status == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* run_folder runs all scripts in |folder|; returns how many failed. */
static int run_folder(const char *folder)
{
	char **paths = NULL;
	size_t count = 0;
	int failed = 0;
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL) {
		perror(folder);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		char path[PATH_MAX_LEN];

		if (!str_ends(str_of(entry->d_name), STR(".rpl")))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder,
		               entry->d_name);
		paths = xrealloc(paths, count + 1, sizeof(*paths));
		paths[count++] = xstrdup(path);
	}
	(void)closedir(dir);
	if (count > 0)
		qsort(paths, count, sizeof(*paths), by_name);
	for (size_t i = 0; i < count; i++) {
		failed += !run_script(paths[i]);
		free(paths[i]);
	}
	free(paths);
	(void)printf("%zu scripts, %d failed\n", count, failed);
	return count > 0 ? failed : 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "-b") == 0)
			conns_chop();
		else if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			failed += run_folder(argv[i]);
		else
			failed += !run_script(argv[i]);
	}
	return failed > 0;
}
