# SPDX-License-Identifier: ISC
"""
A mailbox that no session has ever selected. Courier keeps no UIDVALIDITY for
such a one: each STATUS and each EXAMINE tells the second of asking. That is no
other mailbox, and rings nobody.
"""
import pytest

from lmtp import message
from phone import Phone
from process import next_second, wait_until
from relay import Relay
from test_folders import (OFTEN, direct, drop, enroll, hash_of, news, sweeps,
                          watcher)
from test_ring import register, ring


def starts_again(proxy, user):
    """A restart, in another second. UIDNEXT is asked for once a second."""
    next_second()
    next_second()
    proxy.process.stop()
    next_second()
    start = len(proxy.log())
    proxy.start()
    proxy.wait_log(r" watching user=%s$" % user, start=start)
    proxy.wait_known(start=start)  # before the server may go


@pytest.fixture
def inbox(bell, server):
    """A user whose INBOX is watched, with a mail in it and no UIDVALIDITY."""
    user, phone = server.user(), Phone()
    server.deliver(user, message())
    proxy = bell(server.port, *OFTEN)
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    proxy.wait_log(r" watching user=%s$" % user)
    next_second()
    return proxy, user, phone


def rings_after_each(restarts, inbox, server, apple):
    """For the mail that comes after it, and for nothing else."""
    proxy, user, phone = inbox
    for count in range(1, restarts + 1):
        starts_again(proxy, user)
        delivered = server.deliver(user, message())
        assert ring(apple, phone, count)[count - 1]["t_ns"] >= delivered


def test_restart_rings_for_mail_only(inbox, server, apple):
    rings_after_each(3, inbox, server, apple)


def test_mail_while_down_rings(inbox, server, apple):
    proxy, user, phone = inbox
    proxy.process.stop()
    server.deliver(user, message())
    starts_again(proxy, user)
    ring(apple, phone)


def test_first_opened_while_watched(inbox, server, apple):
    """From then on it has a UIDVALIDITY, which nobody has seen before."""
    with direct(server, inbox[1]) as rival:
        rival.ok("SELECT INBOX")
    rings_after_each(2, inbox, server, apple)


def test_first_opened_while_down(inbox, server, apple):
    proxy, user, phone = inbox
    proxy.process.stop()
    next_second()
    with direct(server, user) as rival:
        rival.ok("SELECT INBOX")
    starts_again(proxy, user)
    delivered = server.deliver(user, message())
    assert ring(apple, phone)[0]["t_ns"] >= delivered


# Folders, which are asked for again and again

@pytest.fixture
def folder_of(courier):
    """A user with a folder that a delivery agent made."""
    user, name = courier.user(), courier.prefix + "Work"
    with direct(courier, user, name):
        (courier.folder / "home" / user / "Maildir/.Work/courierimapuiddb"
         ).unlink()
    drop(courier, user, "Work", message())
    return user, name


def swept(relay, name, times):
    """So many sweeps from now on, at least."""
    link = watcher(relay)
    before = sweeps(link, name)
    wait_until(lambda: sweeps(link, name) >= before + times, "sweeps", 90)


def test_unopened_folder(bell, courier, apple, folder_of):
    user, name = folder_of
    with Relay(courier.port) as relay:
        proxy = bell(relay.port, *OFTEN)
        phone = enroll(proxy, user, name)
        swept(relay, name, 4)
        drop(courier, user, "Work", message())
        assert news(ring(apple, phone)[0]) == [hash_of(name)]
        swept(relay, name, 3)
        starts_again(proxy, user)
        assert len(phone.pushes(apple.requests)) == 1


def test_folder_first_opened(bell, courier, apple, folder_of):
    user, name = folder_of
    with Relay(courier.port) as relay, direct(courier, user) as rival:
        proxy = bell(relay.port, *OFTEN)
        phone = enroll(proxy, user, name)
        swept(relay, name, 4)
        rival.ok('SELECT "%s"' % name)
        swept(relay, name, 4)
        delivered = drop(courier, user, "Work", message())
        assert ring(apple, phone)[0]["t_ns"] >= delivered
        # It has one to be known by now.
        rival.ok("CLOSE")
        rival.ok('DELETE "%s"' % name)
        rival.ok('CREATE "%s"' % name)
        for _ in range(2):
            drop(courier, user, "Work", message())
        assert news(ring(apple, phone, 2)[1]) == [hash_of(name)]
