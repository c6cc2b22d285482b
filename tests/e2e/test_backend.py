# SPDX-License-Identifier: ISC
"""
A backend that is away or wrong: a clear answer to those who want to log in,
nothing else disturbed, and all is well when it is back.
"""
import re
import time

import pytest

from imap import Closed, assert_ok
from lmtp import message
from phone import Phone
from process import SLOW, wait_until
from relay import Relay

UNAVAILABLE = re.compile(rb"(\S+ NO \[UNAVAILABLE\]|\* BYE) ")


def says(octets):
    """A server that sends |octets|, then listens without an answer."""
    def script(peer):
        peer.send(octets)
        peer.stall()

    return script


def dies_at_login(peer):
    peer.send(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
    while b"LOGIN" not in peer.line().upper():
        pass


def bye_at_login(peer):
    dies_at_login(peer)
    peer.send(b"* BYE overloaded\r\n")


SCRIPTS = {
    "greets_bye": says(b"* BYE out of order\r\n"),
    "greets_preauth": says(b"* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n"),
    "greets_no": says(b"* NO not today\r\n"),
    "speaks_http": says(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"),
    "speaks_tls": says(b"\x15\x03\x03\x00\x02\x02\x0a"),
    "nul": says(b"\0\0\0\0\r\n"),
    "line_without_end": says(b"* OK " + b"x" * 2000000),
    "literal_in_greeting": says(b"* OK [X {5}\r\nabcde] hello\r\n"),
    "hangs_up": lambda peer: None,
    "stalls": says(b""),
    "stalls_after_greeting": says(b"* OK [CAPABILITY IMAP4rev1] hello\r\n"),
    "dies_at_login": dies_at_login,
    "bye_at_login": bye_at_login,
    "refuses": None,
}


def let_in(proxy, user):
    """A session of |user|, as soon as a probe has found the backend up, and it
    lets in within timeouts.login_s."""
    def attempt():
        client = proxy.connect()
        try:
            reply = client.command('LOGIN "%s" "pass"' % user)[-1]
        except Closed:
            reply = bytes(client.received).splitlines(True)[-1]
        if reply.startswith(b"a1 OK "):
            return client
        assert UNAVAILABLE.match(reply), reply
        client.close()
        time.sleep(0.2)
        return None

    return wait_until(attempt, "let in")


@pytest.mark.parametrize("name", SCRIPTS)
def test_bad_backend(bell, dovecot, name):
    """NO [UNAVAILABLE] or BYE; another session never notices."""
    bell.allow(r" proxy| watch")
    user = dovecot.user()
    with Relay(dovecot.port) as relay:
        proxy = bell(relay.port, "-o", "timeouts.login_s=%d" % (5 * SLOW))
        other = let_in(proxy, user)
        other.ok("SELECT INBOX")
        other.send(b"i IDLE\r\n")
        assert other.response().startswith(b"+")
        if SCRIPTS[name] is None:
            relay.refuse()
        else:
            relay.instead = SCRIPTS[name]
        client = proxy.connect()
        responses = []
        client.send(b'x LOGIN "%s" "pass"\r\n' % user.encode())
        try:
            while not UNAVAILABLE.match(responses[-1] if responses else b""):
                responses.append(client.response())
        except Closed as closed:
            raise AssertionError("%r, then closed" % responses) from closed
        dovecot.deliver(user, message())
        while other.response() != b"* 1 EXISTS\r\n":
            pass
        other.send(b"DONE\r\n")
        assert_ok(other.until("i")[-1])
        if SCRIPTS[name] is not None:
            relay.instead = None
            let_in(proxy, user).ok("SELECT INBOX")


def test_refused_login_is_the_backends_word(bell, server):
    """A wrong password: NO, at once or as late as the server says it."""
    client = bell(server.port).connect()
    responses = client.command('LOGIN "%s" "wrong"' % server.user())
    assert responses[-1].startswith(b"a1 NO "), responses
    assert b"UNAVAILABLE" not in responses[-1]
    client.login(server.user())


def logged_in(bell, then):
    """A session on a scripted server that lets it in and goes on |then|."""
    def script(peer):
        peer.let_in()
        then(peer)

    return Relay(None, script)


def ends_with(bell, command, octets):
    """What a client sees that sends |command| to a server whose answer is
    |octets| and the end."""
    def then(peer):
        peer.command()
        peer.send(octets)

    with logged_in(bell, then) as relay:
        client = bell(relay.port).session("u")
        seen = len(client.received)
        client.send(command)
        client.rest()
        return bytes(client.received[seen:])


def test_backend_dies_in_a_literal(bell):
    """What came passes; nothing is put where it could be taken for mail."""
    part = b"* 1 FETCH (BODY[] {100}\r\nSubject: x\r\n"
    assert ends_with(bell, b"x FETCH 1 BODY[]\r\n", part) == part


def test_backend_dies_in_a_line(bell):
    """BYE, or the part that came: never one behind the other."""
    part = b"* SEARCH 1 2 3"
    rest = ends_with(bell, b"x SEARCH ALL\r\n", part)
    assert rest == part or rest.startswith(b"* BYE"), rest


def test_backend_dies_between_responses(bell):
    """BYE at a boundary, then the end."""
    line = b"* SEARCH 1 2 3\r\n"
    answer = ends_with(bell, b"x SEARCH ALL\r\n", line)
    assert answer.startswith(line + b"* BYE ")
    assert answer.count(b"\n") == 2 and answer.endswith(b"\r\n")


def test_backend_says_bye_itself(bell):
    """Its own BYE passes, and no second one is added."""
    bye = b"* BYE shutting down\r\n"
    assert ends_with(bell, b"x NOOP\r\n", bye) == bye


@pytest.mark.parametrize("reply", [
    b"* OK see {5}\r\n", b'* OK Hello " foo\r\n', b"* NO {10}\r\n",
    b"* OK [ALERT] (\r\n", b"+ {3}\r\n",
    b"* OK [PERMANENTFLAGS (\\*)] [CAPABILITY]\r\n",
    b'* LIST () "/" {5}\r\nIN\r\nB\r\n', b"* 1 FETCH (X ~{4}\r\n\0\x01\r\n)\r\n",
    b"* 1 FETCH (UID 9 BODY[1]<393216> {0}\r\n)\r\n",
    b"* CAPABILITYX COMPRESS=DEFLATE\r\n", b"* 1 FETCH (X 8\xc3\xa4 -1)\r\n",
    b"* OK\r\n", b"* OK \r\n", b"*\r\n",
    b'* 1 FETCH (ENVELOPE ("* OK [CAPABILITY COMPRESS=DEFLATE]" NIL))\r\n',
    b"* 1 FETCH (BODY[] {46}\r\n* CAPABILITY IMAP4rev1\r\n"
    b"a1 OK [CAPABILITY X]\r\n)\r\n",
], ids=range(16))
def test_text_that_only_looks_like_it(bell, reply):
    """Literals that are none, lists that are none: identical, no waiting."""
    def then(peer):
        tag = peer.command()
        peer.send(reply + tag + b" OK {10}\r\n")
        peer.stall()

    with logged_in(bell, then) as relay:
        client = bell(relay.port).session("u")
        seen = len(client.received)
        client.send(b"x NOOP\r\n")
        while not client.received.endswith(b"x OK {10}\r\n"):
            data = client.sock.recv(65536)
            assert data, client.received
            client.received += data
        assert bytes(client.received[seen:]) == reply + b"x OK {10}\r\n"


@pytest.mark.parametrize("said, seen", [
    (b"* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE IDLE\r\n",
     b"* CAPABILITY IMAP4rev1 IDLE ID XAPPLEPUSHSERVICE\r\n"),
    (b"* ok [capability IMAP4rev1 starttls] hi {3}\r\n",
     b"* ok [capability IMAP4rev1 ID XAPPLEPUSHSERVICE] hi {3}\r\n"),
    (b"* OK [CAPABILITY IMAP4rev1]\r\n",
     b"* OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE]\r\n"),
    (b"* CAPABILITY IMAP4rev1 XAPPLEPUSHSERVICE IDLE\r\n",
     b"* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE IDLE\r\n"),
], ids=["untagged", "code_lower_case", "code_without_text", "has_its_own"])
def test_capability_lists_are_edited(bell, said, seen):
    """Wherever a list stands; ID is answered here if the server has none."""
    def then(peer):
        tag = peer.command()
        peer.send(said + tag + b" OK done\r\n")
        peer.stall()

    with logged_in(bell, then) as relay:
        client = bell(relay.port).session("u")
        responses = client.ok("NOOP")
        words = [set(re.findall(rb"[^\s\[\]]+", line))
                 for line in (responses[0], seen)]
        assert words[0] == words[1], responses[0]
        assert responses[0].count(b"XAPPLEPUSHSERVICE") == 1


def test_registration_while_backend_stalls(bell, apple):
    """A backend that does not answer our STATUS: OK within 2 s, kept."""
    phone = Phone()

    def then(peer):
        peer.stall()

    with logged_in(bell, then) as relay:
        client = bell(relay.port).session("u")
        client.seconds = 10 * SLOW
        responses = client.ok(phone.command())
        assert responses[0] == b'* XAPPLEPUSHSERVICE "mailbox" "INBOX"\r\n'
