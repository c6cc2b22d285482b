/* SPDX-License-Identifier: ISC */
/* title - what a process is called in the list of processes. */
#ifndef PROCESS_TITLE_H
#define PROCESS_TITLE_H

/*
 * title_init finds room for it: where the arguments and the environment lie,
 * which are moved. To be called first of all, and |argv| and environ read only
 * afterwards. Returns the new argv, to be freed by title_done at the very end.
 */
char **title_init(int argc, char **argv);
void title_done(void);

/* title_argv is the arguments that title_init found. */
char **title_argv(void);

/* title_set shows |text|, cut where there is no room. */
void title_set(const char *text);

#endif
