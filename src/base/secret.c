/* SPDX-License-Identifier: ISC */
/*
 * secret - pages of their own for a password or key. The page is asked to
 * stay out of core dumps, of swap and of children; where the system refuses,
 * the secret still works and is still wiped.
 */
#include "base/secret.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"

enum { SECRET_MAX_BYTES = 64 * 1024 };

/* Lives in the pages: in a child |len| is wiped to 0 with the rest. */
struct secret_page {
	size_t len;
	char bytes[];
};

struct secret {
	struct secret_page *page;
	size_t map_len;
};

/* secret_protect asks for what the system has; each is best effort. */
static void secret_protect(void *page, size_t len)
{
#ifdef MADV_DONTDUMP
	(void)madvise(page, len, MADV_DONTDUMP);
#endif
	/* Wiped rather than unmapped: a child that looks must not crash. */
#if defined(MADV_WIPEONFORK)
	(void)madvise(page, len, MADV_WIPEONFORK);
#elif defined(MADV_DONTFORK)
	(void)madvise(page, len, MADV_DONTFORK);
#endif
	(void)mlock(page, len);
}

/* secret_alloc maps room for |cap| bytes, all zero. */
static struct secret *secret_alloc(size_t cap)
{
	size_t page_len = (size_t)sysconf(_SC_PAGESIZE);
	size_t need = sizeof(struct secret_page) + cap;
	struct secret *s = xcalloc(1, sizeof(*s));

	s->map_len = (need + page_len - 1) / page_len * page_len;
	s->page = mmap(NULL, s->map_len, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->page == MAP_FAILED) {
		fputs("imapbell: out of memory\n", stderr);
		abort();
	}
	secret_protect(s->page, s->map_len);
	return s;
}

struct secret *secret_new(struct str bytes)
{
	struct secret *s;

	if (bytes.len > SECRET_MAX_BYTES)
		return NULL;
	s = secret_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(s->page->bytes, bytes.data, bytes.len);
	s->page->len = bytes.len;
	return s;
}

struct secret *secret_copy(const struct secret *s)
{
	return s != NULL ? secret_new(secret_str(s)) : NULL;
}

void secret_free(struct secret **s)
{
	if (*s == NULL)
		return;
	mem_wipe((*s)->page, (*s)->map_len);
	(void)munmap((*s)->page, (*s)->map_len);
	free(*s);
	*s = NULL;
}

struct str secret_str(const struct secret *s)
{
	return str_new(s->page->bytes, s->page->len);
}

bool secret_eq(const struct secret *a, const struct secret *b)
{
	struct str x = secret_str(a);
	struct str y = secret_str(b);
	volatile unsigned char differ = 0;

	if (x.len != y.len)
		return false;
	for (size_t i = 0; i < x.len; i++)
		differ |= (unsigned char)(x.data[i] ^ y.data[i]);
	return differ == 0;
}

/* first_line cuts |text| at LF or CR LF. */
static struct str first_line(struct str text)
{
	size_t end = str_find(text, '\n');

	if (end == SIZE_MAX)
		return text;
	if (end > 0 && text.data[end - 1] == '\r')
		end--;
	return str_sub(text, 0, end);
}

int secret_read_line(const struct files *f, const char *path,
                     struct secret **secret_r, struct err_detail *detail)
{
	/* Two more for the line end: the longest secret may have one. */
	size_t cap = SECRET_MAX_BYTES + 2;
	struct secret *head = secret_alloc(cap);
	struct secret *line;
	int rc;

	rc = files_read_head(f, path, head->page->bytes, cap, &head->page->len,
	                     detail);
	if (rc != ERR_OK)
		goto out;
	line = secret_new(first_line(secret_str(head)));
	if (line == NULL)
		rc = err_set(detail, ERR_LIMIT,
		             "%s: first line longer than %d bytes", path,
		             SECRET_MAX_BYTES);
	else
		*secret_r = line;
out:
	secret_free(&head);
	return rc;
}
