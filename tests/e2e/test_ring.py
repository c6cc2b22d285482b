# SPDX-License-Identifier: ISC
"""The first ring: from the phone's command to the push, end to end."""
import re
import time
import warnings

import pytest

from lmtp import message
from phone import Phone
from process import PATIENCE, SLOW

TOPIC = "com.apple.mobilemail.push.org.example"
PROOF_S = 2  # for a server to say what is in a mailbox that is registered
SOON_S = 45  # our own poll would find the mail later


def register(client, phone, mailboxes="(INBOX)"):
    """
    Once more, which is told, if the server took all the time that it has: else
    nobody knows which mail is new.
    """
    for _ in range(3):
        begin = time.monotonic()
        responses = client.ok(phone.command(mailboxes))
        if time.monotonic() - begin < PROOF_S:
            break
        warnings.warn("the server was late: registered again")
    assert responses[-2] == (
        b'* XAPPLEPUSHSERVICE "aps-version" "2" "aps-topic" "%s"\r\n'
        % TOPIC.encode())
    return responses


def ring(apple, phone, count=1, seconds=PATIENCE):
    """
    The first |count| pushes for |phone|. A server that missed that a file was
    delivered finds it when it looks by itself.
    """
    with apple.condition:
        assert apple.condition.wait_for(
            lambda: len(phone.pushes(apple.requests)) >= count,
            seconds * SLOW), "%d pushes not within %g s" % (count, seconds)
    return phone.pushes(apple.requests)


def first_ring(proxy, apple, phone):
    """The push for mail that the server told of; one that wakes a phone because
    nobody can look is like it."""
    push = ring(apple, phone, seconds=SOON_S)[0]
    assert "wake ring" not in proxy.log()
    return push


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["LOGIN", "PLAIN", "PLAIN-IR"])
def test_first_ring(bell, dovecot, apple, how):
    """Login, registration, goodbye, delivery: the push is as Apple wants."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port)
    client = proxy.session(user, how)
    assert register(client, phone)[0] == (
        b'* XAPPLEPUSHSERVICE "mailbox" "INBOX"\r\n')
    client.logout()
    dovecot.deliver(user, message())
    push = first_ring(proxy, apple, phone)
    assert push["method"] == "POST"
    assert push["path"] == phone.path
    assert push["body"] == phone.payload
    headers = push["headers"]
    assert headers["apns-topic"] == TOPIC
    assert headers["apns-push-type"] == "background"
    assert headers["apns-priority"] == "5"
    assert abs(int(headers["apns-expiration"]) - time.time() - 86400) < 60
    assert "apns-collapse-id" not in headers


def test_first_ring_tls_backend(bell, dovecot, apple, tls):
    """The backend over imaps:// with its chain and name verified."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port, "-b", "imaps://localhost:%d" % dovecot.tls_port,
                 "--backend-ca", tls.ca)
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    dovecot.deliver(user, message())
    assert first_ring(proxy, apple, phone)["body"] == phone.payload


@pytest.mark.parametrize("name", ["courier", "cyrus"])
def test_first_ring_other_servers(request, bell, apple, name):
    server = request.getfixturevalue(name)
    user, phone = server.user(), Phone()
    proxy = bell(server.port)
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    server.deliver(user, message())
    assert first_ring(proxy, apple, phone)["body"] == phone.payload


def test_registration_survives_kill(bell, dovecot, apple):
    """
    Mail delivered while a killed imapbell was down rings, and within 5 s
    unless the machine is busy: one of three times.
    """
    proxy = bell(dovecot.port)

    def seconds():
        user, phone = dovecot.user(), Phone()
        register(proxy.session(user), phone)
        proxy.kill()
        dovecot.deliver(user, message())
        started = time.monotonic_ns()
        proxy.start()
        push = ring(apple, phone)[0]
        assert push["body"] == phone.payload
        return (push["t_ns"] - started) / 1e9

    assert any(seconds() < 5 for _ in range(3))


def test_kill_right_after_ok(bell, dovecot, apple):
    """What was answered OK is on disk: nothing is lost at any moment."""
    proxy = bell(dovecot.port)
    for _ in range(5):
        user, phone = dovecot.user(), Phone()
        client = proxy.session(user)
        client.send(b"x " + phone.command().encode() + b"\r\n")
        client.until("x")
        proxy.kill()
        proxy.start()
        dovecot.deliver(user, message())
        ring(apple, phone)


def test_several_devices_ring(bell, dovecot, apple):
    """Each device of a user is rung, once for one message."""
    user, phones = dovecot.user(), [Phone(), Phone()]
    proxy = bell(dovecot.port)
    for phone in phones:
        client = proxy.session(user)
        register(client, phone)
        client.logout()
    dovecot.deliver(user, message())
    for phone in phones:
        assert len(ring(apple, phone)) == 1


def test_unregistered_token_is_dropped(bell, dovecot, apple):
    """410 with a later timestamp ends the registration; mail goes on."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port)
    client = proxy.session(user)
    register(client, phone)
    apple.answer(status=410, reason="Unregistered",
                 timestamp=int(time.time() * 1000) + 60000)
    dovecot.deliver(user, message())
    ring(apple, phone)
    proxy.wait_log(r"Unregistered")
    time_of_last = len(proxy.log())
    dovecot.deliver(user, message())
    client.ok("NOOP")
    other = Phone()
    register(client, other)
    dovecot.deliver(user, message())
    ring(apple, other)
    assert len(phone.pushes(apple.requests)) == 1, proxy.log()[time_of_last:]


def test_capability_everywhere(bell, server):
    """XAPPLEPUSHSERVICE is in each list that an authenticated client sees."""
    user = server.user()
    client = bell(server.port).connect()
    lists = [line for line in client.ok("CAPABILITY")
             if line.startswith(b"* CAPABILITY")]
    lists += [line for line in client.login(user)
              if re.search(rb"\bCAPABILITY ", line)]
    lists += [line for line in client.ok("CAPABILITY")
              if line.startswith(b"* CAPABILITY")]
    assert len(lists) >= 2
    for line in lists[1:]:
        words = re.findall(rb"[^\s\[\]]+", line)
        assert words.count(b"XAPPLEPUSHSERVICE") == 1, line
        assert not [w for w in words if w.startswith(
            (b"COMPRESS", b"STARTTLS", b"UNAUTHENTICATE"))], line
