/* SPDX-License-Identifier: ISC */
/* fake_stream - the two ends of a memory stream, for the other fakes. */
#ifndef FAKE_FAKE_STREAM_H
#define FAKE_FAKE_STREAM_H

struct fake_peer;
struct stream;

/* fake_peer_refused: the descriptor was closed and no stream ever made. */
void fake_peer_refused(struct fake_peer *peer);

/* fake_stream_drop frees a stream that never had an owner. */
void fake_stream_drop(struct stream *s);

#endif
