# SPDX-License-Identifier: ISC
"""
No octet that a client announced as a literal ever runs as a command, whatever
the server makes of it. Each vector announces a CREATE; whether that mailbox
exists afterwards is asked over a direct session. That the question can be
answered with yes is shown by the servers themselves, which do run some.
"""
import itertools
import socket

import pytest

from imap import Closed, Imap, assert_ok
from lmtp import message
from relay import TO_CLIENT, Relay

DOVECOT, COURIER, CYRUS = "dovecot", "courier", "cyrus"
ALL = (DOVECOT, COURIER, CYRUS)
marks = itertools.count(1)


class Vector:
    """
    |text|: what the client sends, with {n} for the number of octets announced
    and MARK for them. |runs|: the servers that run MARK when asked directly.
    |ends|: imapbell says BYE and closes, because servers disagree on what the
    line means.
    """

    def __init__(self, text, runs=(), ends=False):
        self.text = text
        self.runs = runs
        self.ends = ends

    def octets(self, mark):
        return (self.text.encode().replace(b"{n", b"{%d" % len(mark))
                .replace(b"{00n", b"{00%d" % len(mark))
                .replace(b"MARK", mark))


VECTORS = {
    "unknown_command": Vector("a1 XFOO x {n+}\r\nMARK\r\n",
                              (DOVECOT, COURIER)),
    "command_without_arguments": Vector("a1 NOOP {n+}\r\nMARK\r\n",
                                        (DOVECOT, COURIER)),
    "inside_open_quote": Vector('a1 SELECT "foo{n+}\r\nMARK\r\n', ALL,
                                ends=True),
    "glued_to_atom": Vector("a1 SELECT abc{n+}\r\nMARK\r\n", ALL, ends=True),
    "as_tag": Vector("{n+}\r\nMARK\r\n", ALL, ends=True),
    "leading_zeros": Vector("a1 SELECT {00n+}\r\nMARK\r\n", (COURIER,)),
    "empty_braces": Vector("a1 SELECT {}\r\nMARK\r\n", (CYRUS,), ends=True),
    "only_plus": Vector("a1 SELECT {+}\r\nMARK\r\n", (COURIER, CYRUS),
                        ends=True),
    "bare_line_feed": Vector("a1 SELECT {n+}\nMARK\r\n", (COURIER, CYRUS)),
    "literal8": Vector("a1 SELECT ~{n+}\r\nMARK\r\n", ALL),
    "lines_and_nul_inside": Vector("a1 SELECT {n+}\r\nMARK\r\n", (COURIER,)),
    "unknown_mailbox": Vector("a1 APPEND nobox {n+}\r\nMARK\r\n", (COURIER,)),
    "bad_flag": Vector('a1 APPEND INBOX (\\Bad Flag" {n+}\r\nMARK\r\n',
                       (DOVECOT, COURIER), ends=True),
    "second_literal": Vector("a1 XFOO {1+}\r\nx {n+}\r\nMARK\r\n",
                             (DOVECOT, COURIER)),
    "space_before_plus": Vector("a1 SELECT {n +}\r\nMARK\r\n", ALL, ends=True),
    "minus": Vector("a1 SELECT {n-}\r\nMARK\r\n", ALL, ends=True),
    "behind_bare_cr": Vector("a1 NOOP\r {n+}\r\nMARK\r\n",
                             (DOVECOT, COURIER), ends=True),
    "behind_nul": Vector("a1 NOOP\0 {n+}\r\nMARK\r\n", (DOVECOT, COURIER),
                         ends=True),
    "in_a_list": Vector("a1 FETCH 1 (BODY[HEADER.FIELDS ({n+}\r\nMARK"
                        ")])\r\n"),
    "three_in_a_row": Vector("a1 SEARCH {n+}\r\nMARK {n+}\r\nMARK {n+}\r\n"
                             "MARK\r\n", (COURIER,)),
    "in_idle": Vector("a1 IDLE {n+}\r\nMARK\r\n", (COURIER,)),
    "above_2_to_64": Vector("a1 SELECT {18446744073709551621+}\r\nMARK\r\n",
                            (COURIER, ), ends=True),
}


def new_mark(server, name):
    """A mailbox that is not there yet, and the command that makes it."""
    mailbox = server.prefix + "Mark%d" % next(marks)
    mark = b"b1 CREATE " + mailbox.encode()
    if name == "lines_and_nul_inside":
        mark = b"IN\0BOX\r\n" + mark + b"\r\n"
    return mailbox, mark


def exists(server, user, mailbox):
    with Imap(server.port) as direct:
        direct.login(user)
        return any(response.startswith(b"* LIST")
                   for response in direct.ok('LIST "" "%s"' % mailbox))


def play(client, octets):
    """
    Sends all at once, with a NOOP behind; True if the NOOP was answered,
    False if the server said BYE or closed instead.
    """
    client.send(octets + b"z NOOP\r\n")
    try:
        while True:
            response = client.response()
            if response.startswith(b"z "):
                return True
            if response.startswith(b"* BYE"):
                return False
    except Closed:
        return False


@pytest.fixture(scope="module", params=ALL)
def place(request):
    """A server, and a user there who has a few messages."""
    server = request.getfixturevalue(request.param)
    user = server.user()
    with Imap(server.port) as client:
        client.login(user)
        for n in range(3):
            client.append("INBOX", message("m%d" % n))
    return server, user


@pytest.fixture(scope="module")
def front(place, module_bell):
    """An imapbell that reaches the server through a relay."""
    with Relay(place[0].port) as relay:
        yield module_bell(relay.port), relay


@pytest.mark.parametrize("name", VECTORS)
def test_what_the_server_runs(place, name):
    """Asked directly; without this the tests below would prove nothing."""
    server, user = place
    mailbox, mark = new_mark(server, name)
    with Imap(server.port) as direct:
        direct.login(user)
        seconds, direct.seconds = direct.seconds, 3
        try:
            play(direct, VECTORS[name].octets(mark))
        except TimeoutError:
            # It waits for the announced octets: 2^64 are many. Or it is slow,
            # and has done all when it sees our end.
            direct.sock.shutdown(socket.SHUT_WR)
            direct.seconds = seconds
            direct.rest()
    assert exists(server, user, mailbox) == (server.name
                                             in VECTORS[name].runs)


@pytest.mark.parametrize("situation", ["at_once", "answers_late", "tag_twice"])
@pytest.mark.parametrize("name", VECTORS)
def test_nothing_announced_runs(place, front, name, situation):
    """
    All octets are there before the server's answer is; once more with answers
    50 ms late, and with the vector's tag in use by an earlier command.
    """
    server, user = place
    proxy, relay = front
    mailbox, mark = new_mark(server, name)
    client = proxy.session(user)
    client.ok("SELECT INBOX")
    relay.delay[TO_CLIENT] = 0 if situation == "at_once" else 0.05
    try:
        octets = VECTORS[name].octets(mark)
        if situation == "tag_twice":
            octets = b"a1 FETCH 1:* (FLAGS)\r\na1 NOOP\r\n" + octets
        alive = play(client, octets)
    finally:
        relay.delay[TO_CLIENT] = 0
    assert not exists(server, user, mailbox)
    assert alive != VECTORS[name].ends
    replies = [line for line in bytes(client.received).splitlines()
               if line.startswith(b"a1 ")]
    # "a1" is also the tag of the login here.
    expected = 1 + 2 * (situation == "tag_twice") + (not VECTORS[name].ends)
    assert len(replies) == expected, replies


@pytest.fixture(scope="module")
def fronts(dovecot, courier, cyrus, module_bell):
    """The three servers, each with an imapbell and a user."""
    return [(server, module_bell(server.port), server.user())
            for server in (dovecot, courier, cyrus)]


@pytest.mark.parametrize("name", VECTORS)
def test_the_same_runs_everywhere(fronts, name):
    """What stands before and behind, of three commands that make a mailbox."""
    ran = []
    for server, proxy, user in fronts:
        (before, first), (_, mark), (behind, last) = made = [
            new_mark(server, name if i == 1 else "") for i in range(3)]
        play(proxy.session(user), first + b"\r\n"
             + VECTORS[name].octets(mark) + last + b"\r\n")
        ran.append([exists(server, user, mailbox) for mailbox, _ in made])
    assert ran == [[True, False, not VECTORS[name].ends]] * 3


def test_huge_announcement_is_swallowed(place, front):
    """{99999999999+}: refused, and everything behind it is still literal."""
    server, user = place
    mailbox, mark = new_mark(server, "huge")
    client = front[0].session(user)
    client.send(b"x SELECT {99999999999+}\r\n" + mark + b"\r\n")
    try:
        client.until("x")
    except Closed:
        pass
    client.send(mark + b"\r\n" * 1000)
    assert client.quiet(0.5) == b""
    assert not exists(server, user, mailbox)


@pytest.mark.parametrize("text", ["NOOP ", "SELECT ", "XFOO x ",
                                  "APPEND nobox "])
def test_synchronising_refusal(place, front, text):
    """
    A client that waits: after a refusal its next octets are a command, after
    "+" they are the literal; imapbell decides as the server does.
    """
    server, user = place
    answers = []
    for connect in (lambda: Imap(server.port), front[0].connect):
        mailbox, mark = new_mark(server, "wait")
        with connect() as client:
            client.login(user)
            responses = client.literal(text.encode(), mark)
            assert_ok(client.command("NOOP")[-1])
            answers.append(responses[-1].split()[1])
        assert not exists(server, user, mailbox)
    assert answers[0] == answers[1]


def test_synchronising_literal_with_octets_waiting(place, front):
    """Sent without waiting for "+": run or taken, as by the server itself."""
    server, user = place
    ran = []
    for connect in (lambda: Imap(server.port), front[0].connect):
        mailbox, mark = new_mark(server, "wait")
        with connect() as client:
            client.login(user)
            assert play(client, b"a9 NOOP {%d}\r\n%s\r\n" % (len(mark), mark))
        ran.append(exists(server, user, mailbox))
    assert ran[0] == ran[1]


def test_literal_before_login(place, front):
    """Before login imapbell is the server: the octets are consumed."""
    client = front[0].connect()
    client.send(b"a1 NOOP {9+}\r\nb1 LOGOUT\r\na2 XFOO {9+}\r\nb1 LOGOUT\r\n")
    client.until("a1")
    client.until("a2")
    client.login(place[1])
    assert b"b1 " not in client.received and b"BYE" not in client.received


def test_two_literals_in_a_login_byte_by_byte(place, front):
    server, user = place
    client = front[0].connect()
    for octet in b"x LOGIN {%d+}\r\n%s {4+}\r\npass\r\n" % (
            len(user), user.encode()):
        client.send(bytes([octet]))
    assert_ok(client.until("x")[-1])


def test_valid_literals_work(place, front):
    """Non-synchronising ones, too, on a server that has no LITERAL+."""
    client = front[0].session(place[1])
    client.send(b"x SELECT {5+}\r\nINBOX\r\ny SEARCH SUBJECT {2+}\r\nm1\r\n"
                b"z FETCH 1 (FLAGS)\r\n")
    assert_ok(client.until("x")[-1])
    assert b"* SEARCH 2\r\n" in client.until("y")
    assert_ok(client.until("z")[-1])
