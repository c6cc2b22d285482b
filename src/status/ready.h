/* SPDX-License-Identifier: ISC */
/* ready - whether a balancer should send clients here. */
#ifndef STATUS_READY_H
#define STATUS_READY_H

#include <stdbool.h>
#include <stdint.h>

/* So long ago a backend may have been reached last. */
#define READY_SEEN_S 60

/*
 * ready_judge tells whether mail can be served: some backend was reached within
 * the last minute by some process, and clients are still accepted. |now_ms| is
 * the loop's time. |*why_r| is a line that says so, or what is missing; static.
 */
bool ready_judge(uint64_t now_ms, const char **why_r);

#endif
