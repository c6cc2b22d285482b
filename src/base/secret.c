/* SPDX-License-Identifier: ISC */
/*
 * secret - pages of their own for passwords and keys. They are asked to stay
 * out of core dumps, of swap and of children; where the system refuses, the
 * secret still works and is still wiped.
 *
 * Each login brings a password, and of pages that are locked in memory a
 * process may have few: short ones share a page.
 */
#include "base/secret.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"

enum {
	SECRET_MAX_BYTES = 64 * 1024,
	SLOTS = 32, /* of a shared page */
};

/* Lives in the page: in a child |len| is wiped to 0 with the rest. */
struct secret_slot {
	size_t len;
	char bytes[];
};

/* What is known of a page, or of several in a row for a long secret. */
struct secret_page {
	LIST_ENTRY(secret_page) open; /* while a slot is free */
	char *slots;
	size_t len;
	pid_t owner;
	uint32_t taken; /* bit by bit */
};

struct secret {
	struct secret_page *page;
	struct secret_slot *slot;
	size_t room; /* of the slot; the page's own if it has one only */
};

/* Shared pages in which there is room; state of the process, as its heap. */
static LIST_HEAD(, secret_page) open_pages = LIST_HEAD_INITIALIZER(open_pages);

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

/* page_new maps |len| bytes, all zero. */
static struct secret_page *page_new(size_t len)
{
	struct secret_page *p = xcalloc(1, sizeof(*p));

	p->len = len;
	p->owner = getpid();
	p->slots = mmap(NULL, len, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->slots == MAP_FAILED) {
		fputs("imapbell: out of memory\n", stderr);
		abort();
	}
	secret_protect(p->slots, len);
	return p;
}

static void page_free(struct secret_page *p)
{
	(void)munmap(p->slots, p->len);
	free(p);
}

/* open_page finds a shared page with room, or makes one. Those that there were
 * before a fork are not locked in the child. */
static struct secret_page *open_page(size_t len)
{
	struct secret_page *p = LIST_FIRST(&open_pages);

	if (p == NULL || p->owner != getpid()) {
		p = page_new(len);
		LIST_INSERT_HEAD(&open_pages, p, open);
	}
	return p;
}

/* take_slot finds the place for |s| in a shared page. */
static void take_slot(struct secret *s)
{
	unsigned int n = 0;

	s->page = open_page(s->room * SLOTS);
	while ((s->page->taken & 1U << n) != 0)
		n++;
	s->page->taken |= 1U << n;
	s->slot = (void *)(s->page->slots + n * s->room);
	if (s->page->taken == UINT32_MAX)
		LIST_REMOVE(s->page, open);
}

/* leave_slot gives it back; of empty pages one stays, for the next login. */
static void leave_slot(const struct secret *s)
{
	struct secret_page *p = s->page;
	size_t n = (size_t)((char *)s->slot - p->slots) / s->room;

	if (p->taken == UINT32_MAX)
		LIST_INSERT_HEAD(&open_pages, p, open);
	p->taken &= ~(1U << n);
	if (p->taken != 0 ||
	    (LIST_FIRST(&open_pages) == p && LIST_NEXT(p, open) == NULL))
		return;
	LIST_REMOVE(p, open);
	page_free(p);
}

/* secret_alloc has room for |cap| bytes, all zero. */
static struct secret *secret_alloc(size_t cap)
{
	size_t page_len = (size_t)sysconf(_SC_PAGESIZE);
	size_t need = sizeof(struct secret_slot) + cap;
	struct secret *s = xcalloc(1, sizeof(*s));

	s->room = page_len / SLOTS;
	if (need <= s->room) {
		take_slot(s);
		return s;
	}
	s->room = (need + page_len - 1) / page_len * page_len;
	s->page = page_new(s->room);
	s->slot = (void *)s->page->slots;
	return s;
}

struct secret *secret_new(struct str bytes)
{
	struct secret *s;

	if (bytes.len > SECRET_MAX_BYTES)
		return NULL;
	s = secret_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(s->slot->bytes, bytes.data, bytes.len);
	s->slot->len = bytes.len;
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
	mem_wipe((*s)->slot, (*s)->room);
	if ((*s)->room == (*s)->page->len)
		page_free((*s)->page);
	else
		leave_slot(*s);
	free(*s);
	*s = NULL;
}

struct str secret_str(const struct secret *s)
{
	return str_new(s->slot->bytes, s->slot->len);
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

	rc = files_read_head(f, path, head->slot->bytes, cap, &head->slot->len,
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
