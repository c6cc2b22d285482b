/* SPDX-License-Identifier: ISC */
/* files - see files.h. A handful: found by looking at each. */
#include "base/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

static struct files_entry *find(const struct files *f, struct str path)
{
	for (size_t i = 0; f != NULL && i < f->count; i++)
		if (str_eq(f->list[i].path, path))
			return &f->list[i];
	return NULL;
}

/* entry_of is the entry of |path|, a new one if need be. */
static struct files_entry *entry_of(struct files *f, struct str path)
{
	struct files_entry *e = find(f, path);

	if (e != NULL)
		return e;
	f->list = xgrow(f->list, &f->count, sizeof(*f->list));
	e = &f->list[f->count - 1];
	*e = (struct files_entry){ .path = str_dup(path) };
	return e;
}

int files_put(struct files *f, struct str path, uint32_t mode, struct str text)
{
	struct files_entry *e;
	struct buf copy;
	int rc;

	buf_init(&copy, FILES_MAX);
	rc = buf_add(&copy, text);
	if (rc != ERR_OK)
		return rc;
	e = entry_of(f, path);
	buf_reset(&e->text);
	e->text = copy;
	e->mode = mode;
	return ERR_OK;
}

void files_keep(struct files *f, const char *path)
{
	struct buf text;
	uint32_t mode;
	int rc;

	/* What is no file may be there to be read once. */
	if (path == NULL || file_mode(path, &mode, NULL) != ERR_OK ||
	    !S_ISREG(mode))
		return;
	buf_init(&text, FILES_MAX);
	rc = file_read(path, &text, NULL);
	if (rc == ERR_OK)
		rc = files_put(f, str_of(path), mode, buf_str(&text));
	(void)rc; /* whoever needs it will say so */
	buf_reset(&text);
}

void files_done(struct files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		buf_reset(&f->list[i].text);
		str_free(&f->list[i].path);
	}
	free(f->list);
	*f = (struct files){ 0 };
}

int files_read(const struct files *f, const char *path, struct buf *out,
               struct err_detail *detail)
{
	const struct files_entry *e = find(f, str_of(path));

	if (e == NULL)
		return file_read(path, out, detail);
	if (buf_add(out, buf_str(&e->text)) == ERR_OK)
		return ERR_OK;
	return err_set(detail, ERR_LIMIT, "%s: larger than %zu bytes", path,
	               out->max);
}

int files_read_head(const struct files *f, const char *path, void *out,
                    size_t max, size_t *len_r, struct err_detail *detail)
{
	const struct files_entry *e = find(f, str_of(path));
	size_t len;

	if (e == NULL)
		return file_read_head(path, out, max, len_r, detail);
	len = e->text.len < max ? e->text.len : max;
	if (len > 0)
		memcpy(out, e->text.data, len);
	*len_r = len;
	return ERR_OK;
}

int files_mode(const struct files *f, const char *path, uint32_t *mode_r,
               struct err_detail *detail)
{
	const struct files_entry *e = find(f, str_of(path));

	if (e == NULL)
		return file_mode(path, mode_r, detail);
	*mode_r = e->mode;
	return ERR_OK;
}

bool files_is_exposed(const struct files *f, const char *path)
{
	uint32_t mode;

	return files_mode(f, path, &mode, NULL) == ERR_OK &&
	       (mode & S_IROTH) != 0;
}
