#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
Starts a program with the system calls that a unit leaves it.

    filter.py UNIT PROGRAM [ARGUMENT...]
"""
import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

KEY = "SystemCallFilter="
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM


def expand(name):
    """The calls of a set, which may have other sets in it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter",
                           name], check=True, capture_output=True,
                          text=True).stdout
    return set().union(*(expand(line.strip()) for line in text.splitlines()[1:]
                         if line.strip() and not line.lstrip().startswith("#")
                         ))


def calls_of(unit):
    """As systemd.exec(5) has it; the first line tells what is left."""
    calls = set()
    for line in Path(unit).read_text(encoding="ascii").splitlines():
        if not line.startswith(KEY):
            continue
        value = line[len(KEY):]
        named = set().union(*map(expand, value.lstrip("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def main():
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(REFUSE)))
    for call in calls_of(sys.argv[1]):
        number = lib.seccomp_syscall_resolve_name(call.encode())
        # What this machine has not is negative.
        if number >= 0:
            assert lib.seccomp_rule_add(context, ctypes.c_uint32(ALLOW),
                                        number, 0) == 0, call
    assert lib.seccomp_load(context) == 0
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
