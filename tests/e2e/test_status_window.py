# SPDX-License-Identifier: ISC
"""
A registration asks the client's own backend session for STATUS. Whatever
else the backend says meanwhile belongs to the client, and our question leaves
no trace.
"""
import re
import time

import pytest

from imap import Imap, assert_ok
from lmtp import message
from phone import Phone
from relay import TO_CLIENT, TO_SERVER, Relay
from test_ring import PROOF_S

TAGGED = re.compile(rb"^(?!\*|\+)(\S+) ")


def ours(sent):
    """
    From what went to the backend at a registration, all of it our STATUS:
    the tags, and the mailboxes asked, as written.
    """
    commands = re.findall(rb'(\S+) STATUS ("[^"]*"|\S+) '
                          rb"\(UIDVALIDITY UIDNEXT MESSAGES UNSEEN\)\r\n",
                          sent)
    assert b"".join(b"%s STATUS %s (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"
                    % command for command in commands) == sent, sent
    return [tag for tag, _ in commands], len(commands)


def without_ours(said, tags):
    """What the backend |said|, less the answers to our |tags|."""
    kept = []
    for line in said.splitlines(keepends=True):
        tag = TAGGED.match(line)
        if line.startswith(b"* STATUS ") or (tag and tag[1] in tags):
            continue
        kept.append(line)
    return b"".join(kept)


def without_registration(seen, tag):
    """What the client has |seen|, less our answer under |tag|."""
    assert re.search(rb"^%s OK " % tag, seen, re.M), seen
    return b"".join(
        line for line in seen.splitlines(keepends=True)
        if not line.startswith((b"* XAPPLEPUSHSERVICE ", tag + b" OK ")))


@pytest.mark.parametrize("name", ["dovecot", "courier", "cyrus"])
@pytest.mark.parametrize("selected", ["INBOX", "Other", None])
@pytest.mark.parametrize("moment", ["question", "answer"])
def test_client_sees_what_a_direct_session_would(request, bell, name, selected,
                                                 moment):
    """
    Another session delivers, changes flags and expunges while our STATUS, or
    its answer, is on the way; then the client goes on.
    """
    server = request.getfixturevalue(name)
    with Relay(server.port) as relay:
        # On a busy machine the answer may be too late for the phone.
        assert any(in_time(server, relay, bell(relay.port), selected, moment)
                   for _ in range(5))


def in_time(server, relay, proxy, selected, moment):
    """Whether our STATUS was waited for. If so the client saw what it should."""
    user, phone = server.user(), Phone()
    other = server.prefix + "Other"
    with Imap(server.port) as rival:
        rival.login(user)
        rival.ok("CREATE %sOther" % server.prefix)
        for n in range(3):
            for mailbox in ("INBOX", other):
                rival.append(mailbox, message("message %d" % n))
        client = proxy.session(user)
        link = relay.link(b"LOGIN")
        if selected is not None:
            selected = other if selected == "Other" else selected
            client.ok("SELECT %s" % selected)
        client.ok("NOOP")
        sent = len(link.octets(TO_SERVER))
        said = len(link.octets(TO_CLIENT))
        seen = len(client.received)

        hold = relay.hold(TO_SERVER, b" STATUS ") if moment == "question" \
            else relay.hold(TO_CLIENT, b"* STATUS ")
        begin = time.monotonic()
        client.send(b"x %s\r\n" % phone.command(
            "(INBOX %s %sNone)" % (other, server.prefix)).encode())
        hold.wait()
        # The client may write on; it is read after our OK.
        client.send(b"y NOOP\r\n")
        rival.ok("SELECT %s" % (selected or "INBOX"))
        rival.append(selected or "INBOX", message("in the window"))
        rival.ok("STORE 1 +FLAGS (\\Deleted)")
        rival.ok("STORE 2 +FLAGS (\\Flagged)")
        rival.ok("EXPUNGE")
        hold.release()

        client.until("x")
        if time.monotonic() - begin > PROOF_S:
            proxy.stop()
            return False
        client.until("y")
        client.ok("NOOP", tag="z")
        tags, count = ours(
            link.octets(TO_SERVER)[sent:].replace(b"y NOOP\r\n", b"")
            .replace(b"z NOOP\r\n", b""))
        assert count == 3
        assert without_registration(bytes(client.received[seen:]), b"x") == \
            without_ours(link.octets(TO_CLIENT)[said:], tags)
        if selected is not None:
            news = bytes(client.received[seen:])
            assert b"* 1 EXPUNGE\r\n" in news
            assert re.search(rb"\* [123] FETCH \(.*\\Flagged", news), news
            assert re.search(rb"\* [34] EXISTS\r\n", news), news
        answer = bytes(client.received[seen:])
        echoed = re.findall(rb'XAPPLEPUSHSERVICE "mailbox" "([^"]*)"', answer)
        assert echoed == [b"INBOX", other.encode()]
        return True


def test_late_answers_are_taken_out(bell, dovecot, apple):
    """
    A backend that answers STATUS after more than 2 s: the phone has its OK
    in time, and the client never sees the late answers.
    """
    user, phone = dovecot.user(), Phone()
    with Relay(dovecot.port) as relay:
        client = bell(relay.port).session(user)
        link = relay.link(b"LOGIN")
        client.ok("SELECT INBOX")
        hold = relay.hold(TO_CLIENT, b"* STATUS ")
        start = time.monotonic()
        seen = len(client.received)
        client.send(b"x %s\r\ny NOOP\r\n" % phone.command().encode())
        assert_ok(client.until("x")[-1])
        assert PROOF_S - 0.5 < time.monotonic() - start < 20
        hold.wait()
        dovecot.deliver(user, message())
        hold.release()
        client.until("y")
        client.ok("NOOP", tag="z")
        answer = bytes(client.received[seen:])
        assert b"* STATUS" not in answer
        tags = re.findall(rb"(\S+) STATUS ", link.octets(TO_SERVER))
        assert tags and not any(tag in answer for tag in tags)
        assert b"* 1 EXISTS\r\n" in answer


def test_own_status_still_answered(bell, dovecot):
    """The client's own STATUS right behind the registration is its own."""
    user, phone = dovecot.user(), Phone()
    client = bell(dovecot.port).session(user)
    client.send(b"x %s\r\ny STATUS INBOX (MESSAGES)\r\n"
                % phone.command().encode())
    client.until("x")
    assert client.until("y")[0] == b"* STATUS INBOX (MESSAGES 0)\r\n"


def test_registration_in_command_order(bell, dovecot):
    """Between a long FETCH and a NOOP: answers come in that order."""
    user, phone = dovecot.user(), Phone()
    for n in range(20):
        dovecot.deliver(user, message("m%d" % n, "x" * 70 + "\r\n"))
    client = bell(dovecot.port).session(user)
    client.ok("SELECT INBOX")
    seen = len(client.received)
    client.send(b"b FETCH 1:* (BODY.PEEK[])\r\na %s\r\nc NOOP\r\n"
                % phone.command().encode())
    client.until("c")
    tags = re.findall(rb"^([abc]) OK ", bytes(client.received[seen:]), re.M)
    assert tags == [b"b", b"a", b"c"]
    fetched = bytes(client.received[seen:]).split(b"b OK ")[0]
    assert b"XAPPLEPUSHSERVICE" not in fetched
