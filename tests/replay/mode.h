/* SPDX-License-Identifier: ISC */
/* mode - how a server outside is: the backend, or APNs. */
#ifndef REPLAY_MODE_H
#define REPLAY_MODE_H

enum mode {
	MODE_UP,
	MODE_DOWN, /* connections are refused */
	MODE_DEAD, /* nobody answers a connection */
	MODE_MUTE  /* connections are accepted, and nothing is read or said */
};

#endif
