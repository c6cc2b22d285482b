#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The header of a foreign library has one home: what we would have to touch
to replace the library."""

import sys

import sources

# Header or folder of headers, and the files or folders that may include it.
HOMES = [
    ('event2/', ['src/net/loop.c', 'src/net/loop_io.c']),
    ('openssl/', ['src/net/', 'src/apns/credential.c', 'src/imap/mailbox.c',
                  'src/push/seal.c', 'src/watch/login.c']),
    ('nghttp2/', ['src/net/h2.c']),
    ('sqlite3.h', ['src/store/']),
    ('libconfig.h', ['src/conf/']),
    ('seccomp.h', ['src/process/sandbox_calls.c']),
    ('linux/landlock.h', ['src/process/sandbox_files.c']),
    ('jansson.h', ['src/apns/', 'src/push/', 'src/role/report.c']),
]


def homes_of(name):
    for header, homes in HOMES:
        if name == header or header.endswith('/') and name.startswith(header):
            return homes
    return None


def main(root):
    problems = []
    for path in sources.find(root, 'src', '.c', '.h'):
        for line, _, name in sources.includes(sources.read(root, path)):
            homes = homes_of(name)
            if homes is not None and not path.startswith(tuple(homes)):
                problems.append(f'{path}:{line}: <{name}> lives in '
                                + ', '.join(homes))
    sources.report(problems)


main(sys.argv[1])
