/* SPDX-License-Identifier: ISC */
/* exposition - the metrics as Prometheus reads them: its text format 0.0.4. */
#ifndef STATUS_EXPOSITION_H
#define STATUS_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* exposition_write appends all there are; |now_ms| is the time of day. Results:
 * 0; ERR_LIMIT. */
int exposition_write(int64_t now_ms, struct buf *out)
	__attribute__((warn_unused_result));

#endif
