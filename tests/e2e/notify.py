# SPDX-License-Identifier: ISC
"""What a service manager hears: |manager| is the fixture of that name."""
import select

from process import wait_until


def told(manager):
    """The next thing that it is told, but for how it is."""
    while True:
        lines = manager.recv(4096).decode().splitlines()
        if lines != ["WATCHDOG=1"] and not lines[0].startswith("STATUS="):
            return dict(line.split("=", 1) for line in lines)


def wait_told(manager, line):
    """Until it is told that."""
    wait_until(lambda: line in manager.recv(4096).decode().splitlines(), line,
               60)


def forget(manager):
    """What it was told so far."""
    while select.select([manager], [], [], 0)[0]:
        manager.recv(4096)
