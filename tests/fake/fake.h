/* SPDX-License-Identifier: ISC */
/*
 * fake - the net floor in memory, chosen when a test is linked (fake_dep
 * instead of the real objects): loop, offload, stream, resolve, dial and
 * listen of src/net with a clock that the test moves and peers that the test
 * plays. Same headers, same rules: events only from the loop, never from
 * inside a call. One thread, nothing random, no descriptor that matters.
 *
 * A test makes a loop, starts the code under test, and then repeats: script
 * (push bytes, queue a dial's outcome), fake_run or fake_clock_advance, look.
 *
 *	struct loop *loop = loop_new();
 *	struct fake_peer *peer;
 *	struct stream *s = fake_stream_new(loop, &peer);
 *
 *	thing_start(loop, s);
 *	fake_push(peer, STR("* OK hello\r\n"));
 *	fake_run(loop);
 *	assert_str(fake_written(peer), "a1 NOOP\r\n");
 *	fake_clock_advance(loop, 30000);
 *	assert_true(fake_is_closed(peer));
 *	fake_peer_free(&peer);
 *	loop_free(&loop);
 */
#ifndef FAKE_FAKE_H
#define FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/offload.h"
#include "net/resolve.h"
#include "net/stream.h"

/* --- the loop and its clock ------------------------------------------- */

/*
 * fake_turn makes the calls that were deferred before it began, no others: for
 * tests of what happens on which turn. Returns whether any is left.
 */
bool fake_turn(struct loop *loop);

/* fake_run makes turns until nothing is left to do; the clock stands still.
 * Aborts after 100,000 turns: the code under test goes round in circles. */
void fake_run(struct loop *loop);

/*
 * fake_clock_advance does fake_run, then moves the clock by |ms|, stopping at
 * each timer on the way in the order in which they are due (those due at the
 * same time in the order they were set), with a fake_run after each.
 */
void fake_clock_advance(struct loop *loop, uint64_t ms);

/* fake_clock_next is how many ms until the next timer; UINT64_MAX: none. */
uint64_t fake_clock_next(const struct loop *loop);

/* fake_timers counts the timers that are set. */
size_t fake_timers(const struct loop *loop);

/* fake_wall_jump moves the time of day alone; it starts at 2026-01-01 UTC. */
void fake_wall_jump(struct loop *loop, int64_t ms);

/* fake_signal calls what was asked for by loop_on_signal, on a later turn. */
void fake_signal(struct loop *loop, int signo);

/* fake_is_stopped: loop_stop was called. */
bool fake_is_stopped(const struct loop *loop);

/* --- streams ------------------------------------------------------------ */

/*
 * The other end of a memory stream: the test's to play, and to free at any
 * time; it stays valid when the stream is gone.
 */
struct fake_peer;

/* fake_stream_new makes a stream as dial or accept would; give it to the code
 * under test. on_open comes on the next turn. |*peer_r| is the test's. */
struct stream *fake_stream_new(struct loop *loop, struct fake_peer **peer_r);

/* fake_peer_free frees our end only; to the stream the peer falls silent. */
void fake_peer_free(struct fake_peer **peer);

/* fake_push sends |bytes|, copied, as one chunk: one on_data if the owner
 * takes it all, and never together with another chunk otherwise than behind
 * what the owner left over. */
void fake_push(struct fake_peer *peer, struct str bytes);

/* fake_push_split sends |bytes| in chunks of |each| bytes. */
void fake_push_split(struct fake_peer *peer, struct str bytes, size_t each);

/* fake_push_eof ends our direction; comes after what was pushed. */
void fake_push_eof(struct fake_peer *peer);

/* fake_break loses the connection: on_error with |rc| and |why|. What was
 * pushed and not read is lost too. */
void fake_break(struct fake_peer *peer, int rc, const char *why);

/* fake_written is all that the stream sent and we took; valid until the next
 * turn or fake_written_clear, which forgets it. */
struct str fake_written(const struct fake_peer *peer);
void fake_written_clear(struct fake_peer *peer);

/*
 * fake_stall makes us slow: what the stream sends waits there. fake_take takes
 * at most |n| bytes of it on the next turn; fake_unstall takes it all and what
 * follows.
 */
void fake_stall(struct fake_peer *peer);
void fake_take(struct fake_peer *peer, size_t n);
void fake_unstall(struct fake_peer *peer);

/* fake_set_tls makes the stream answer as after a handshake that agreed on
 * |alpn| ("" for none). */
void fake_set_tls(struct fake_peer *peer, const char *alpn);

/* fake_set_address sets where the peer comes from ("192.0.2.7:40001" else);
 * "": it is gone already. */
void fake_set_address(struct fake_peer *peer, const char *address);

/* fake_preamble: connections at listeners with proxy_protocol begin with a
 * header that says |from| (NULL: LOCAL), or fail with |rc|; borrowed. */
void fake_preamble(struct loop *loop, int rc, const char *from);

/* What became of the stream. Closed: stream_close, and all output was taken;
 * aborted: stream_abort, or closed and never drained within 5 s; or the
 * descriptor from listen was closed without making a stream. */
bool fake_is_closed(const struct fake_peer *peer);
bool fake_is_aborted(const struct fake_peer *peer);

/* fake_is_reading: the owner has a handler and does not pause. */
bool fake_is_reading(const struct fake_peer *peer);

/* fake_tls_starts counts stream_start_tls; fake_tls_name is its last name, or
 * that of stream_connected, "" if none. */
int fake_tls_starts(const struct fake_peer *peer);
const char *fake_tls_name(const struct fake_peer *peer);

/* --- dialing ------------------------------------------------------------ */

/*
 * What the next dials come to, used in the order queued; a dial that finds
 * none waits for one, or for its deadline. fake_dial_connect returns our end
 * of the stream, the test's from now on, whether or not the dial ever comes.
 */
struct fake_peer *fake_dial_connect(struct loop *loop, uint64_t delay_ms);
void fake_dial_fail(struct loop *loop, uint64_t delay_ms, int rc,
                    const char *why);
/* The next dial reaches nobody: ERR_TIMEOUT at its deadline. */
void fake_dial_hang(struct loop *loop);

/* fake_dial_only: what is queued from now on is for dials to |port|; 0: for
 * any. */
void fake_dial_only(struct loop *loop, uint16_t port);

/* fake_dials counts dials started, fake_dials_waiting those without outcome
 * yet (fake_dials_waiting_to: of them, those to |port|), fake_dials_open those
 * started and not called back or canceled. */
size_t fake_dials(const struct loop *loop);
size_t fake_dials_waiting(const struct loop *loop);
size_t fake_dials_waiting_to(const struct loop *loop, uint16_t port);
size_t fake_dials_open(const struct loop *loop);

/* fake_dial_target is what the last dial asked for; valid until the next. */
const struct dial_target *fake_dial_target(const struct loop *loop);

/* fake_dial_from is for whom it was; NULL: our own. Valid as long. */
const struct dial_from *fake_dial_from(const struct loop *loop);

/* --- listening ---------------------------------------------------------- */

/*
 * fake_accept lets somebody connect to the listener on |port| (0: the first
 * one): its fn comes on a later turn with a descriptor that stream_accepted
 * knows. NULL when nobody listens there. A paused listener makes it wait.
 */
struct fake_peer *fake_accept(struct loop *loop, uint16_t port);

/* --- offload ------------------------------------------------------------ */

/*
 * Work is done on the turn after its submit, |done| called on the next. After
 * fake_offload_hold it waits for fake_offload_step, which does the oldest job
 * (false: there is none), or fake_offload_release.
 */
void fake_offload_hold(struct loop *loop);
void fake_offload_release(struct loop *loop);
bool fake_offload_step(struct loop *loop);
size_t fake_offload_waiting(const struct loop *loop);

/* --- names -------------------------------------------------------------- */

/* fake_resolve_fail makes lookups fail with ERR_DNS until |why| is NULL. Else
 * every name is 192.0.2.1 and every address is itself. */
void fake_resolve_fail(struct loop *loop, const char *why);

#endif
