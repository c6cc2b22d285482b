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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "replay/conn.h"
#include "replay/house.h"
#include "replay/script.h"
#include "replay/steps.h"
#include "replay/transcript.h"

enum { PATH_MAX_LEN = 1024, ALL_LINES = 1000000 };

static bool verbose;
static struct str pending; /* the step that started the process */

/* on_abort: an assertion of ours, or a memory error. */
static void on_abort(int signo)
{
	transcript_print(stderr, 60);
	(void)fprintf(stderr, "%s: it crashed\n", script_place());
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
}

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
static void play_script(const char *path, const char *folder)
{
	struct str step;

	script_open(path);
	house_init(folder);
	while (script_next(&step)) {
		if (steps_needs_process(step) && !house_has_ended()) {
			pending = step;
			house_run(play_inside);
		} else {
			steps_run(step);
		}
		while (steps_wants_start())
			house_run(play_inside);
	}
	if (house_has_ended())
		steps_end();
	if (verbose)
		transcript_print(stdout, ALL_LINES);
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

/* run_script returns whether the script at |path| passes. */
static bool run_script(const char *path)
{
	char folder[] = "/tmp/replay.XXXXXX";
	int status = 1;
	pid_t pid;

	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return false;
	}
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGABRT, on_abort);
		play_script(path, folder);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		perror("fork");
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	(void)printf("%s %s\n", status == 0 ? "ok  " : "FAIL", path);
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
