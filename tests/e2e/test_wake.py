# SPDX-License-Identifier: ISC
"""
Wake rings: the phones of those who cannot be watched are rung, so that they
come and look, and can be watched again.
"""
import re
from datetime import datetime

import pytest

from lmtp import message
from phone import Phone
from relay import TO_SERVER, Relay
from test_ring import register, ring

WAKE_S = 120  # the first one is due within half of it
WAKE = r"^(\S+) info watch\[\d+\] wake ring user=(\S+) devices=(\d+)"


def registered(proxy, user):
    """A phone of |user|, who is watched."""
    phone = Phone()
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    proxy.wait_log(r"watching user=%s$" % user)
    return phone


def test_changed_password(bell, dovecot_named, apple):
    """
    The watcher's login is refused, once: the phone is rung until it comes with
    the new password, and then for mail alone.
    """
    server = dovecot_named
    user = server.user()
    with Relay(server.port) as relay:
        proxy = bell(relay.port)
        phone = registered(proxy, user)
        server.set_password(user, "new")
        relay.cut()
        proxy.wait_log(r"login rejected user=%s: .*waiting for the user to log "
                       r"in again" % user)
        rejected = len(relay.links)
        assert ring(apple, phone, seconds=WAKE_S)[0]["body"] == phone.payload
        # Nobody tried in between: accounts get locked.
        assert not [link for link in relay.links[rejected:]
                    if re.search(rb"AUTHENTICATE|LOGIN",
                                 link.octets(TO_SERVER))]

        start = len(proxy.log())
        client = proxy.connect()
        client.login(user, "new")
        proxy.wait_log(r"watching user=%s$" % user, start=start)
        client.logout()
        server.deliver(user, message())
        assert len(ring(apple, phone, 2)) == 2
        assert len(re.findall(WAKE, proxy.log(), re.M)) == 1


@pytest.mark.parametrize("how", [
    "lost", pytest.param("broken", marks=pytest.mark.long)])
def test_seal_key_is_lost(bell, dovecot, apple, how):
    """
    What is sealed does not open after a restart: all are rung within a minute,
    not together, and who comes is watched again.
    """
    bell.allow(r"watch\.key_file")
    users = [dovecot.user() for _ in range(8)]
    proxy = bell(dovecot.port)
    phones = {user: registered(proxy, user) for user in users}
    proxy.kill()
    key = proxy.state / "seal.key"
    key.unlink()
    if how == "broken":
        key.write_text("no key\n")
        key.chmod(0o600)
    start = len(proxy.log())
    proxy.start()
    assert ("error push watch.key_file" in proxy.log()[start:]) == (
        how == "broken")
    for phone in phones.values():
        ring(apple, phone, seconds=WAKE_S)
    rings = re.findall(WAKE, proxy.log()[start:], re.M)
    assert sorted(user for _, user, _ in rings) == sorted(users)
    times = [datetime.fromisoformat(time.rstrip("Z")) for time, _, _ in rings]
    assert (max(times) - min(times)).total_seconds() > 1
    if how == "broken":
        return  # nothing can be sealed
    user = users[0]
    start = len(proxy.log())
    proxy.session(user).logout()
    proxy.wait_log(r"watching user=%s$" % user, start=start)
    dovecot.deliver(user, message())
    assert len(ring(apple, phones[user], 2)) == 2


def test_restart_wakes_nobody_who_is_watched(bell, dovecot, apple):
    """A restart rings none of those who are watched, and nothing happened."""
    proxy = bell(dovecot.port)
    quiet, dark = dovecot.user(), dovecot.user()
    phone, sign = registered(proxy, quiet), registered(proxy, dark)
    for _ in range(3):
        proxy.kill()
        start = len(proxy.log())
        proxy.start()
        for user in (quiet, dark):
            proxy.wait_log(r"watching user=%s$" % user, start=start)
    # A push that comes later says that none is on its way.
    dovecot.deliver(dark, message())
    ring(apple, sign)
    assert phone.pushes(apple.requests) == []
    assert "wake ring" not in proxy.log()
