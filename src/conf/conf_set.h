/* SPDX-License-Identifier: ISC */
/* conf_set - keys set from a file or from a text, and what set them. */
#ifndef CONF_CONF_SET_H
#define CONF_CONF_SET_H

#include "conf/conf.h"
#include "conf/conf_table.h"

/* A file, or one that it includes, may have this many bytes. */
#define CONF_FILE_MAX ((size_t)1 << 20)

/*
 * conf_set_text sets |key| from |text| as written after -o or in the
 * environment: libconfig syntax; for a string the text as it stands, outer
 * double quotes optional. |where| begins the sentence in |detail|. Results: 0;
 * ERR_INVALID, the old value stays.
 */
int conf_set_text(struct conf *c, const struct conf_key *key, const char *text,
                  const char *where, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_set_pair sets what "KEY=VALUE" says, as after -o; |where| as in
 * conf_set_text. Results: 0; ERR_PARSE, there is no "="; ERR_INVALID, there is
 * no such key, or as conf_set_text. */
int conf_set_pair(struct conf *c, const char *pair, const char *where,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_set_file reads every key of the file |path|. Results: 0; ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_INVALID with file, line and key in |detail|. */
int conf_set_file(struct conf *c, const char *path, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_origin tells what set the key |path| last: "FILE:LINE", "-o", the
 * option, "environment NAME" or "default". Lives until it is set again. */
const char *conf_origin(const struct conf *c, const char *path);

/* conf_set_defaults gives every field its default. */
void conf_set_defaults(struct conf *c);

/* conf_add appends |text| to the list |key|, which |where| sets. Results: 0;
 * ERR_INVALID. */
int conf_add(struct conf *c, const struct conf_key *key, const char *text,
             const char *where, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_clear frees the value of |key|. */
void conf_clear(struct conf *c, const struct conf_key *key);

#endif
