/* SPDX-License-Identifier: ISC */
/* file - small files that the operator names: certificates and keys. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { FILE_CHUNK_BYTES = 4096 };

/* file_fail turns |error|, an errno, into a result and a sentence. */
static int file_fail(const char *path, int error, struct err_detail *detail)
{
	int rc = ERR_IO;

	if (error == ENOENT || error == ENOTDIR)
		rc = ERR_NOT_FOUND;
	else if (error == EACCES || error == EPERM)
		rc = ERR_PERMISSION;
	return err_set(detail, rc, "%s: %s", path, strerror(error));
}

/* read_some is read(2), repeated when a signal came between. */
static ssize_t read_some(int fd, void *out, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, out, len);
	} while (n < 0 && errno == EINTR);
	return n;
}

int file_read_head(const char *path, void *out, size_t max, size_t *len_r,
                   struct err_detail *detail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t n = 1;
	int error;

	if (fd < 0)
		return file_fail(path, errno, detail);
	while (n > 0 && len < max) {
		n = read_some(fd, (char *)out + len, max - len);
		if (n > 0)
			len += (size_t)n;
	}
	error = errno;
	close(fd);
	if (n < 0)
		return file_fail(path, error, detail);
	*len_r = len;
	return ERR_OK;
}

/* read_all appends what |fd| still holds to |out|. */
static int read_all(int fd, const char *path, struct buf *out,
                    struct err_detail *detail)
{
	char chunk[FILE_CHUNK_BYTES]; /* wiped: the file may be a key */
	int rc = ERR_OK;
	ssize_t n;

	while ((n = read_some(fd, chunk, sizeof(chunk))) > 0) {
		rc = buf_append(out, chunk, (size_t)n);
		if (rc != ERR_OK)
			break;
	}
	if (n < 0)
		rc = file_fail(path, errno, detail);
	else if (rc != ERR_OK)
		rc = err_set(detail, rc, "%s: larger than %zu bytes", path,
		             out->max);
	mem_wipe(chunk, sizeof(chunk));
	return rc;
}

int file_read(const char *path, struct buf *out, struct err_detail *detail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t start = out->len;
	int rc;

	if (fd < 0)
		return file_fail(path, errno, detail);
	rc = read_all(fd, path, out, detail);
	close(fd);
	if (rc != ERR_OK && out->len > start) {
		mem_wipe(out->data + start, out->len - start);
		out->len = start;
	}
	return rc;
}

int file_mode(const char *path, uint32_t *mode_r, struct err_detail *detail)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return file_fail(path, errno, detail);
	*mode_r = st.st_mode;
	return ERR_OK;
}
