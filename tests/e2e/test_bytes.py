# SPDX-License-Identifier: ISC
"""Octets that are not capability lists or our command pass identical."""
import re

import pytest

from imap import Imap, assert_ok
from lmtp import message
from relay import TO_CLIENT, TO_SERVER, Relay

HOSTILE = ("* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n"
           "a OK [CAPABILITY IMAP4rev1 STARTTLS] done\r\n"
           "a1 OK [CAPABILITY IMAP4rev1] done\r\n"
           "* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hello\r\n"
           "* BYE\r\n+ go ahead\r\n)\r\n"
           'x XAPPLEPUSHSERVICE "aps-version" "2"\r\nDONE\r\n')
SUBJECT = '* CAPABILITY IMAP4rev1 \\" a OK [CAPABILITY IMAP4rev1 STARTTLS] {5}'
# What a server counts in its replies differs from run to run.
TIMES = re.compile(rb" \(\d+\.\d+ [0-9. +]*secs?\)")

FETCHES = [
    "FETCH 1 (UID BODY.PEEK[])",
    "FETCH 1 ENVELOPE",
    "FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] ENVELOPE BODY.PEEK[TEXT])",
    "FETCH 1 BODY.PEEK[TEXT]<3.40>",
    "FETCH 1:* (FLAGS BODY.PEEK[]<999999.5> RFC822.SIZE BODYSTRUCTURE)",
]


def fetches(client):
    """Everything that the server says to FETCHES, as it came."""
    client.ok("EXAMINE INBOX")
    start = client.taken
    for text in FETCHES:
        client.ok(text)
    return TIMES.sub(b"", bytes(client.received[start:]))


@pytest.mark.smoke
def test_message_full_of_capability_text(bell, server):
    """Body and ENVELOPE subject are as a direct session sees them."""
    user = server.user()
    server.deliver(user, message(SUBJECT, HOSTILE))
    with Imap(server.port) as direct:
        direct.login(user)
        expected = fetches(direct)
        assert HOSTILE.encode() in expected
    assert fetches(bell(server.port).session(user)) == expected


def test_large_message_and_nul_free_stream(bell, server):
    """A message of 3 MB, with lines that look like ends of a response."""
    user = server.user()
    body = "".join("%d) a%d OK [CAPABILITY X] {%d}\r\n" % (n, n, n)
                   for n in range(80000))
    server.deliver(user, message("big", body))
    with Imap(server.port) as direct:
        direct.login(user)
        direct.ok("EXAMINE INBOX")
        expected = direct.fetch_body()
        assert expected.endswith(body.encode())
    client = bell(server.port).session(user)
    client.ok("EXAMINE INBOX")
    assert client.fetch_body() == expected


@pytest.mark.parametrize("chunk", [1, 7])
def test_backend_in_small_pieces(bell, dovecot, chunk):
    """What the backend sends passes identical however it is cut."""
    user = dovecot.user()
    dovecot.deliver(user, message(SUBJECT, HOSTILE))
    with Relay(dovecot.port) as relay:
        relay.chunk = chunk
        client = bell(relay.port).session(user)
        link = relay.link(b"LOGIN")
        seen = len(client.received)
        client.ok("SELECT INBOX")
        for text in FETCHES:
            client.ok(text)
        assert link.octets(TO_CLIENT).endswith(bytes(client.received[seen:]))
        assert len(client.received) - seen > 3 * len(HOSTILE)


def stored(server, user, number=1):
    """A message as the server keeps it, over a direct session."""
    with Imap(server.port) as direct:
        direct.login(user)
        direct.ok("EXAMINE INBOX")
        return direct.fetch_body(number)


MAIL = ("Subject: x\r\n\r\n" + HOSTILE).encode()


@pytest.mark.smoke
def test_append_synchronising(bell, server):
    user = server.user()
    client = bell(server.port).session(user)
    client.append("INBOX", MAIL)
    assert stored(server, user) == MAIL
    client.ok("NOOP")


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_append_non_synchronising(bell, server, cut):
    """Courier, which has no LITERAL+, takes it too: imapbell turns it down."""
    user = server.user()
    client = bell(server.port).session(user)
    data = b"x APPEND INBOX (\\Seen) {%d+}\r\n%s\r\n" % (len(MAIL), MAIL)
    for start in range(0, len(data), cut or len(data)):
        client.send(data[start:start + (cut or len(data))])
    assert_ok(client.until("x")[-1])
    assert stored(server, user) == MAIL
    client.ok("NOOP")


def test_append_multi(bell, dovecot):
    """MULTIAPPEND, the kinds of literals mixed, flags between them."""
    user = dovecot.user()
    client = bell(dovecot.port).session(user)
    client.send(b"x APPEND INBOX (\\Seen) {%d+}\r\n" % len(MAIL) + MAIL
                + b" (\\Flagged) {%d}\r\n" % len(MAIL))
    assert client.response().startswith(b"+")
    client.send(MAIL + b" {%d+}\r\n" % len(MAIL) + MAIL + b"\r\n")
    assert_ok(client.until("x")[-1])
    for number in (1, 2, 3):
        assert stored(dovecot, user, number) == MAIL


def test_append_literal8(bell, dovecot):
    """BINARY's ~{n} with NUL octets inside."""
    user = dovecot.user()
    client = bell(dovecot.port).session(user)
    mail = (b"Content-Transfer-Encoding: binary\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n\0x\0\r\n\0")
    client.send(b"x APPEND INBOX ~{%d+}\r\n" % len(mail) + mail + b"\r\n")
    assert_ok(client.until("x")[-1])
    client.ok("SELECT INBOX")
    assert any(b"\0x\0\r\n\0" in response
               for response in client.ok("FETCH 1 BINARY.PEEK[1]"))


def test_append_larger_than_any_buffer(bell, dovecot):
    user = dovecot.user()
    mail = b"Subject: x\r\n\r\n" + HOSTILE.encode() * 20000
    client = bell(dovecot.port).session(user)
    client.append("INBOX", mail)
    assert stored(dovecot, user) == mail


def test_commands_pass_as_sent(bell, dovecot):
    """Case, quoting and spacing of what is not ours reach the backend."""
    user = dovecot.user()
    with Relay(dovecot.port) as relay:
        client = bell(relay.port).session(user)
        link = relay.link(b"LOGIN")
        seen = len(link.octets(TO_SERVER))
        sent = (b'q1 sElEcT "INBOX"\r\nq2 uid  search TEXT "a\\"b {3}"\r\n'
                b"q3 LIST \"\" %\r\nq4 XUNKNOWN caf\xc3\xa9\r\n")
        client.send(sent)
        client.until("q4")
        assert link.octets(TO_SERVER)[seen:] == sent


def test_commands_behind_login_reach_the_backend(bell, dovecot):
    """What waits behind LOGIN in one segment is executed after it."""
    user = dovecot.user()
    client = bell(dovecot.port).connect()
    client.send(b"1 LOGIN {%d+}\r\n%s {4+}\r\npass\r\n2 SELECT INBOX\r\n"
                b"3 NOOP\r\n" % (len(user), user.encode()))
    for tag in ("1", "2", "3"):
        assert_ok(client.until(tag)[-1])


def test_idle_is_transparent(bell, dovecot):
    """IDLE and DONE in one segment, then an IDLE that hears of new mail."""
    user = dovecot.user()
    client = bell(dovecot.port).session(user)
    client.ok("SELECT INBOX")
    client.send(b"i1 IDLE\r\nDONE\r\n")
    assert client.response().startswith(b"+")
    assert_ok(client.until("i1")[-1])
    client.send(b"i2 IDLE\r\n")
    assert client.response().startswith(b"+")
    dovecot.deliver(user, message())
    while client.response() != b"* 1 EXISTS\r\n":
        pass
    client.send(b"DONE\r\n")
    assert_ok(client.until("i2")[-1])
