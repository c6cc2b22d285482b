# SPDX-License-Identifier: ISC
"""A password is in memory for at most 60 s, and nowhere afterwards."""
import base64
import re
import time

import pytest

from lmtp import message
from phone import Phone
from process import SLOW

KEPT_S = 60  # how long a password may be kept after a login


def memory(pid):
    """All readable memory of a process."""
    regions = []
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb") as mem:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r(\S+) .*?(\S*)$", line)
            if not found or found[4] in ("[vvar]", "[vsyscall]"):
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            if end - start > 1 << 32:
                continue  # a sanitizer's shadow
            mem.seek(start)
            try:
                regions.append(mem.read(end - start))
            except (OSError, ValueError):
                pass
    return regions


def forms(user, password):
    """How a password may lie about: itself, and in base64 as SASL has it."""
    whole = [password, b"\0%s\0%s" % (user, password)]
    found = set(whole)
    for text in whole:
        for shift in range(3):
            # Only the octets that do not depend on what is around them.
            coded = base64.b64encode(b"x" * shift + text)
            found.add(coded[4 if shift else 0:len(coded) // 4 * 4 - 4])
    return found


def search(pids, needles):
    regions = [region for pid in pids for region in memory(pid)]
    assert sum(map(len, regions)) > 100000
    return {needle for needle in needles
            if any(needle in region for region in regions)}


@pytest.mark.long
def test_password_is_wiped(bell, dovecot, apple):
    """
    Logged in by each way, registered, and 60 s later: nowhere, neither from
    the sessions, one still open, nor from the sealed logins and watchers.
    """
    proxy = bell(dovecot.port)
    users = {how: dovecot.user() for how in ("LOGIN", "PLAIN", "PLAIN-IR")}
    needles = set()
    for how, user in users.items():
        client = proxy.connect()
        client.login(user, dovecot.secret, how)
        needles |= forms(user.encode(), dovecot.secret.encode())
    # The search does find it where it may still be.
    assert dovecot.secret.encode() in search(proxy.pids, needles)
    phones = []
    for how, user in users.items():
        phones.append(Phone())
        for client in (proxy.connect(), proxy.connect()):
            client.login(user, dovecot.secret, how)
            client.ok(phones[-1].command())
        client.logout()
    last_login = time.monotonic()
    for user in users.values():
        dovecot.deliver(user, message())
    with apple.condition:  # so the watchers, too, have logged in
        assert apple.condition.wait_for(
            lambda: all(phone.pushes(apple.requests) for phone in phones),
            30 * SLOW)
    time.sleep(max(0, last_login + KEPT_S + 5 - time.monotonic()))
    proxy.clients[-2].ok("NOOP")
    assert search(proxy.pids, needles) == set()
