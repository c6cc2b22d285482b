/* SPDX-License-Identifier: ISC */
/*
 * faultvfs - SQLite's way to the disk, which fails or stops the process at the
 * Nth write. What counts is everything that changes a file, or makes what was
 * changed durable: write, truncate, sync, delete, and opening.
 */
#ifndef PUSH_FAULTVFS_H
#define PUSH_FAULTVFS_H

enum fault {
	FAULT_NONE,
	/* The Nth fails, all others work. */
	FAULT_ERROR,
	FAULT_FULL,
	/* All from the Nth on fail. */
	FAULT_FULL_FROM,
	/* The process is stopped instead of the Nth, which */
	FAULT_STOP,  /* is not done */
	FAULT_TORN,  /* is done by half */
	FAULT_POWER, /* is lost with all that was not synced yet */
	FAULT_MIXED  /* is lost with every second one that was not */
};

/* With this status the process is stopped. */
enum { FAULT_STATUS = 42 };

/* faultvfs_install makes it the way of all files opened later. Nothing is
 * really synced, for speed: a stopped process is no stopped machine. */
void faultvfs_install(void);

/* faultvfs_set says what happens at the |at|th write from now. */
void faultvfs_set(enum fault fault, unsigned long at);

/* faultvfs_count is how many there were since. */
unsigned long faultvfs_count(void);

#endif
