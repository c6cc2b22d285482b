/* SPDX-License-Identifier: ISC */
/* faultvfs - a shim around the VFS of the system. What was written and not
 * synced can be undone, newest first. */
#include "push/faultvfs.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/mem.h"

/* What a write has overwritten. */
struct undo {
	TAILQ_ENTRY(undo) entry;
	sqlite3_file *file; /* the real one */
	sqlite3_int64 size; /* of the file then */
	sqlite3_int64 at;
	int len;
	char *bytes;
};

TAILQ_HEAD(undo_list, undo);

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this */
};

static struct {
	sqlite3_vfs *real;
	sqlite3_vfs vfs;
	enum fault fault;
	unsigned long at;
	unsigned long count;
	struct undo_list undos;
} all;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)file)->real;
}

/* Undoing. */

static void free_undo(struct undo *u)
{
	TAILQ_REMOVE(&all.undos, u, entry);
	free(u->bytes);
	free(u);
}

/* remember notes what |len| bytes |at| of the file are. */
static void remember(sqlite3_file *real, sqlite3_int64 at, int len)
{
	struct undo *u = xcalloc(1, sizeof(*u));

	if (real->pMethods->xFileSize(real, &u->size) != SQLITE_OK)
		abort();
	u->file = real;
	u->at = at;
	u->len = len;
	u->bytes = xcalloc((size_t)len + 1, 1);
	(void)real->pMethods->xRead(real, u->bytes, len, at); /* or short */
	TAILQ_INSERT_HEAD(&all.undos, u, entry);
}

/* forget: what was written to the file is durable, or the file is gone. */
static void forget(const sqlite3_file *real)
{
	struct undo *u;
	struct undo *next;

	for (u = TAILQ_FIRST(&all.undos); u != NULL; u = next) {
		next = TAILQ_NEXT(u, entry);
		if (u->file == real)
			free_undo(u);
	}
}

/* lose takes back what was not synced, or every second of it. */
static void lose(bool mixed)
{
	struct undo *u;
	bool odd = false;

	TAILQ_FOREACH(u, &all.undos, entry) {
		odd = !odd;
		if (mixed && odd)
			continue;
		if (u->file->pMethods->xWrite(u->file, u->bytes, u->len,
		                              u->at) != SQLITE_OK)
			abort();
		if (!mixed &&
		    u->file->pMethods->xTruncate(u->file, u->size) != SQLITE_OK)
			abort();
	}
}

/* Failing. */

/* due counts, and returns whether it is this one's turn. */
static bool due(void)
{
	all.count++;
	return all.fault != FAULT_NONE &&
	       (all.count == all.at ||
	        (all.fault == FAULT_FULL_FROM && all.count > all.at));
}

/* strike makes what is |due| happen, unless it is a failure: then the result
 * is |error|, or that the disk is full. */
static int strike(int error)
{
	switch (all.fault) {
	case FAULT_FULL:
	case FAULT_FULL_FROM:
		return error == SQLITE_IOERR_WRITE ? SQLITE_FULL : error;
	case FAULT_POWER:
	case FAULT_MIXED:
		lose(all.fault == FAULT_MIXED);
		_exit(FAULT_STATUS);
	case FAULT_STOP:
	case FAULT_TORN:
		_exit(FAULT_STATUS);
	case FAULT_NONE:
	case FAULT_ERROR:
		break;
	}
	return error;
}

static int file_write(sqlite3_file *file, const void *bytes, int len,
                      sqlite3_int64 at)
{
	sqlite3_file *real = real_of(file);

	if (due()) {
		if (all.fault == FAULT_TORN)
			(void)real->pMethods->xWrite(real, bytes, len / 2, at);
		return strike(SQLITE_IOERR_WRITE);
	}
	remember(real, at, len);
	return real->pMethods->xWrite(real, bytes, len, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	sqlite3_file *real = real_of(file);
	sqlite3_int64 old;

	if (due())
		return strike(SQLITE_IOERR_TRUNCATE);
	if (real->pMethods->xFileSize(real, &old) == SQLITE_OK && old > size)
		remember(real, size, (int)(old - size));
	return real->pMethods->xTruncate(real, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	if (due())
		return strike(SQLITE_IOERR_FSYNC);
	forget(real_of(file));
	return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	forget(real);
	return real->pMethods->xClose(real);
}

/* The rest goes through. */

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), out, len, at);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_is_reserved(sqlite3_file *file, int *is)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_device(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend,
                        void volatile **at)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size,
	                                        extend, at);
}

static int file_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), first, n,
	                                         flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, /* no files in memory: their writes are not seen */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                    int flags, int *flags_r)
{
	struct fault_file *f = (struct fault_file *)file;
	int rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->real = (sqlite3_file *)(f + 1);
	if (due())
		return strike(SQLITE_CANTOPEN);
	rc = all.real->xOpen(all.real, name, f->real, flags, flags_r);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	(void)sync;
	if (due())
		return strike(SQLITE_IOERR_DELETE);
	return all.real->xDelete(all.real, name, 0);
}

void faultvfs_install(void)
{
	if (all.real != NULL)
		return;
	TAILQ_INIT(&all.undos);
	all.real = sqlite3_vfs_find(NULL);
	all.vfs = *all.real;
	all.vfs.zName = "fault";
	all.vfs.szOsFile = (int)sizeof(struct fault_file) + all.real->szOsFile;
	all.vfs.xOpen = vfs_open;
	all.vfs.xDelete = vfs_delete;
	if (sqlite3_vfs_register(&all.vfs, 1) != SQLITE_OK)
		abort();
}

void faultvfs_set(enum fault fault, unsigned long at)
{
	all.fault = fault;
	all.at = at;
	all.count = 0;
}

unsigned long faultvfs_count(void)
{
	return all.count;
}
