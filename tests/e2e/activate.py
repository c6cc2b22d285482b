#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
Starts a program with sockets, as a service manager does.

    activate.py FD:NAME[,FD:NAME...] PROGRAM [ARGUMENT...]
"""
import os
import sys

FIRST = 3


def main():
    pairs = [pair.split(":", 1) for pair in sys.argv[1].split(",")]
    spare = [os.dup2(int(fd), 100 + i) for i, (fd, _) in enumerate(pairs)]
    for i, fd in enumerate(spare):
        os.dup2(fd, FIRST + i)
    os.closerange(FIRST + len(pairs), 1000)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(pairs)),
                      LISTEN_FDNAMES=":".join(name for _, name in pairs))
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
