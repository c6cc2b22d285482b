# SPDX-License-Identifier: ISC
"""
What strangers and users can cost: nothing grows with those who break off, no
buffer with who does not read, and the kernel is told to look after the silent.
"""
import base64
import contextlib
import functools
import os
import random
import re
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pytest

from imap import Closed, Imap
from imapbell import BINARY
from lmtp import message
from phone import Phone
from process import pss, wait_until
from relay import Relay
from test_ring import register, ring

KIB = 1024
MIB = 1024 * KIB


@functools.cache
def measures():
    """A sanitizer keeps what was freed, valgrind has a memory of its own."""
    return "IMAPBELL_TEST_VALGRIND" not in os.environ and \
        b"__asan_init" not in Path(BINARY).read_bytes()


def memory(proxy):
    """What it has for itself: its share of a library grows when somebody else
    ends."""
    return pss(proxy.pids, "Pss_Anon")


def descriptors(proxy):
    """What each descriptor is; one that is gone meanwhile is left out."""
    found = []
    for pid in proxy.pids:
        for fd in Path("/proc/%d/fd" % pid).iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(fd))
    return found


class Tcp:
    """A TCP socket of the process, as /proc/net/tcp has it."""

    def __init__(self, fields):
        self.local, self.remote = (
            int(end.rpartition(":")[2], 16) for end in fields[1:3])
        self.is_listening = fields[3] == "0A"
        self.timer = fields[5].partition(":")[0]
        self.link = "socket:[%s]" % fields[9]


def tcp(proxy):
    """The connections of the process."""
    own = set(descriptors(proxy))
    rows = [Tcp(line.split()) for name in ("tcp", "tcp6") for line in
            Path("/proc/%d/net/%s" % (proxy.pid, name))
            .read_text().splitlines()[1:]]
    return [row for row in rows if row.link in own and not row.is_listening]


def port_of(proxy, scheme):
    return int(re.search(r"listening url=%s://127\.0\.0\.1:(\d+)"
                         % re.escape(scheme), proxy.log())[1])


def plain_port(proxy):
    return port_of(proxy, "imap")


# A server without the slowness of a real one

def serve(peer):
    """Lets in whose password is "pass", refuses all others."""
    peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
              b"AUTH=LOGIN AUTH=CRAM-MD5] hello\r\n")
    while True:
        line = peer.line()
        tag, verb = line.split()[:2]
        if verb.upper() == b"AUTHENTICATE":
            if len(line.split()) < 4:
                peer.send(b"+ " + base64.b64encode(b"<1@there>") + b"\r\n")
                peer.line()
            peer.send(tag + b" NO no\r\n")
        elif verb.upper() == b"LOGIN" and b'"pass"' not in line:
            peer.send(tag + b" NO no\r\n")
        elif verb.upper() == b"LOGOUT":
            peer.send(b"* BYE bye\r\n" + tag + b" OK done\r\n")
            return
        elif verb.upper() == b"CAPABILITY":
            peer.send(b"* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID "
                      b"AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
        else:
            peer.send(tag + b" OK done\r\n")


@pytest.fixture
def server():
    with Relay(0, serve) as relay:
        yield relay


# Ways to break off

def leave(sock):
    """Ends the connection, by chance without ceremony."""
    if random.random() < 0.5:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        sock.close()


def hello(ca):
    """A ClientHello, and what can go on with it."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=ca).wrap_bio(
        into, out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, into, out


def silent(proxy, _):
    with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        leave(sock)


def in_the_hello(proxy, _):
    tls, into, out = hello(proxy.ca)
    first = out.read()
    with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        sock.sendall(first[:random.randrange(1, len(first))])
        leave(sock)


def in_the_handshake(proxy, _):
    tls, into, out = hello(proxy.ca)
    with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        sock.sendall(out.read())
        sock.recv(65536)
        leave(sock)


def not_tls(proxy, _):
    with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        sock.sendall(b"a LOGIN user pass\r\n")
        with contextlib.suppress(OSError):
            sock.recv(65536)
        leave(sock)


def after_the_handshake(proxy, _):
    client = Imap(proxy.port, proxy.ca, greeting=False)
    leave(client.sock)


def in_starttls(proxy, _):
    """Behind the OK: nothing, a part of the handshake, or what is no TLS."""
    client = Imap(port_of(proxy, "imap+starttls"))
    client.ok("STARTTLS")
    _, _, out = hello(proxy.ca)
    client.send(random.choice((b"", out.read()[:99], b"a LOGIN b c\r\n")))
    leave(client.sock)


def connect(proxy, plain):
    return Imap(plain) if random.random() < 0.5 else \
        Imap(proxy.port, proxy.ca)


def in_a_line(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a NOOP " + b"(" * random.randrange(1, 4000))
    leave(client.sock)


def in_a_literal(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a LOGIN {8}\r\n")
    client.response()
    client.send(b"stran")
    leave(client.sock)


def in_a_large_literal(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a LOGIN user {8000+}\r\n" + b"x" * 5000)
    leave(client.sock)


def in_a_refused_literal(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a LOGIN user {999999999+}\r\n" + b"x" * 5000)
    client.response()
    leave(client.sock)


def in_a_response(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a AUTHENTICATE PLAIN\r\n")
    client.response()
    client.send(base64.b64encode(b"\0user\0password")[:9])
    leave(client.sock)


def in_a_challenge(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"a AUTHENTICATE CRAM-MD5\r\n")
    client.response()
    leave(client.sock)


def cancelled(proxy, plain):
    client = connect(proxy, plain)
    for _ in range(10):
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        client.response()
        client.send(b"*\r\n")
        client.response()
    leave(client.sock)


def in_a_login(proxy, plain):
    client = connect(proxy, plain)
    client.send(b'a LOGIN user "pass"\r\n')
    leave(client.sock)


def refused(proxy, plain):
    """Before the answer, which takes its time."""
    client = connect(proxy, plain)
    client.send(b'a LOGIN user "wrong"\r\n')
    leave(client.sock)


def malformed(proxy, plain):
    client = connect(proxy, plain)
    client.send(b"\0\r\na LOGIN {5-}\r\n")
    client.rest()
    leave(client.sock)


def logged_in(proxy, plain):
    client = connect(proxy, plain)
    client.login("user")
    client.send(b"a APPEND INBOX {%d+}\r\nabc" % (10 * MIB))
    leave(client.sock)


WAYS = (silent, in_the_hello, in_the_handshake, not_tls, after_the_handshake,
        in_starttls, in_a_line, in_a_literal, in_a_large_literal, in_a_refused_literal,
        in_a_response, in_a_challenge, cancelled, in_a_login, refused,
        malformed, logged_in)
GROUP = 5 * len(WAYS)


def break_off(proxy, plain, count):
    """|count| connections that break off, each way as often, four at once."""
    todo = list(range(count))
    lost = []

    def work():
        while True:
            try:
                way = WAYS[todo.pop() % len(WAYS)]
            except IndexError:
                return
            try:
                way(proxy, plain)
            except (Closed, OSError) as error:
                lost.append((way.__name__, error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not lost, lost[:5]


def settled(proxy, server, count):
    """Waits until |count| sessions are over, and their connections."""
    ports = {proxy.port, plain_port(proxy), server.port,
             port_of(proxy, "imap+starttls")}
    wait_until(lambda: len(re.findall(r" session end ", proxy.log())) >= count,
               "the end of %d sessions" % count)
    wait_until(lambda: not any({row.local, row.remote} & ports
                               for row in tcp(proxy)),
               "the end of their connections")


def break_off_in_groups(proxy, plain, server, done, count):
    """|count| more than |done|, a few at a time; how many it is then."""
    for _ in range(0, count, GROUP):
        break_off(proxy, plain, GROUP)
        done += GROUP
        settled(proxy, server, done)
    return done


def break_off_and_compare(bell, server, warm_up, count):
    """How much memory is needed depends on how many sessions live at once, so
    they come in small groups; what is left of each grows with every round. The
    round that grew least tells."""
    proxy = bell(server.port, "-l", "imap://127.0.0.1:0",
                 "-l", "imap+starttls://127.0.0.1:0",
                 "-o", "limits.logins_pending_per_address=1000")
    plain = plain_port(proxy)
    done = break_off_in_groups(proxy, plain, server, 0, warm_up)
    open_before, before = len(descriptors(proxy)), memory(proxy)
    grown = []
    while not grown or (measures() and min(grown) >= 32 * count):
        assert len(grown) < 12, "each round grew by %r octets" % grown
        done = break_off_in_groups(proxy, plain, server, done, count)
        grown.append(memory(proxy) - before)
        before += grown[-1]
        print("%d broken off: %+d KiB" % (count, grown[-1] // KIB))
    wait_until(lambda: len(descriptors(proxy)) <= open_before,
               "as few descriptors as before")
    proxy.session("user").ok("NOOP")


@pytest.mark.smoke
def test_nothing_is_left_of_who_breaks_off(bell, server):
    break_off_and_compare(bell, server, 4 * GROUP, 6 * GROUP)


@pytest.mark.long
@pytest.mark.smoke
@pytest.mark.timeout(600)
def test_nothing_is_left_of_ten_thousand(bell, server):
    break_off_and_compare(bell, server, 40 * GROUP, 120 * GROUP)


# What does not move

def stalled(peer, ends, total):
    """A server that sends a literal of |total| octets, or takes one and reads
    no further than the login until ends["go"] is set."""
    peer.let_in()
    tag, verb = peer.line().split()[:2]
    if verb == b"FETCH":
        ends["sent"] = 0
        peer.send(b"* 1 FETCH (BODY[] {%d}\r\n" % total)
        while ends["sent"] < total:
            peer.send(b"x" * 65536)
            ends["sent"] += 65536
        peer.send(b")\r\n" + tag + b" OK done\r\n")
    else:
        peer.send(b"+ OK\r\n")
        ends["go"].wait()
        ends["taken"] = len(peer.lines.read(total + 2)) - 2
        peer.send(tag + b" OK done\r\n")
    peer.stall()


@pytest.fixture
def stalls(bell):
    """imapbell, what the server behind has sent and taken, and the size."""
    total, ends = 64 * MIB, {"go": threading.Event()}
    with Relay(0, lambda peer: stalled(peer, ends, total)) as relay:
        yield bell(relay.port, "-l", "imap://127.0.0.1:0"), ends, total


def until_it_stands(count):
    """Waits until count() has not changed for a second; its value."""
    seen = [None, 0]

    def stands():
        now = count()
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return time.monotonic() > seen[1] + 1

    wait_until(stands, "the end of all movement")
    return seen[0]


def test_slow_reader(stalls):
    """A client that reads nothing of a large message."""
    proxy, ends, total = stalls
    client = Imap(plain_port(proxy))
    client.login("user")
    before = memory(proxy)
    client.send(b"a FETCH 1 BODY[]\r\n")
    wait_until(lambda: "sent" in ends, "the server to have begun")
    assert until_it_stands(lambda: ends["sent"]) < total
    if measures():
        assert memory(proxy) - before < MIB
    assert len(client.until("a")[0]) > total


@pytest.mark.long
@pytest.mark.timeout(300)
def test_stopped_client_goes_on(stalls):
    """Whoever takes nothing for a while is not dead: TCP_USER_TIMEOUT ends
    such a connection too."""
    proxy, ends, total = stalls
    client = Imap(plain_port(proxy))
    client.login("user")
    client.send(b"a FETCH 1 BODY[]\r\n")
    wait_until(lambda: "sent" in ends, "the server to have begun")
    assert until_it_stands(lambda: ends["sent"]) < total
    time.sleep(100)
    assert len(client.until("a")[0]) > total


def test_slow_writer(stalls):
    """A server that takes nothing of a large message."""
    proxy, ends, total = stalls
    client = Imap(plain_port(proxy))
    client.login("user")
    before = memory(proxy)
    client.send(b"a APPEND INBOX {%d}\r\n" % total)
    assert client.response().startswith(b"+")
    sent = [0]

    def send():
        while sent[0] < total:
            client.send(b"x" * 65536)
            sent[0] += 65536
        client.send(b"\r\n")

    sender = threading.Thread(target=send)
    sender.start()
    assert until_it_stands(lambda: sent[0]) < total
    if measures():
        assert memory(proxy) - before < MIB
    ends["go"].set()
    client.until("a")
    sender.join()
    assert ends["taken"] == total


def test_unfinished_lines_are_small(bell, server):
    """CVE-2026-27857: Dovecot took 1 MB for each."""
    proxy = bell(server.port, "-l", "imap://127.0.0.1:0",
                 "-o", "limits.logins_pending_per_address=1000",
                 "-o", "timeouts.login_s=600")
    plain = plain_port(proxy)
    strangers = [Imap(plain) for _ in range(200)]
    before, count = memory(proxy), len(strangers)
    for stranger in strangers:
        stranger.send(b"a NOOP " + b"(" * 4000)
    if measures():
        grown = until_it_stands(lambda: memory(proxy)) - before
        print("%d octets for each" % (grown // count))
        assert grown < count * 12 * KIB
    for stranger in strangers:
        stranger.send(b"\r\n")
        assert stranger.response().startswith(b"a BAD "), stranger.received
        stranger.close()


def test_the_kernel_looks_after_the_silent(bell, dovecot, apple):
    """Each connection has a timer that finds out whether its peer is there:
    client, session, watcher, Apple."""
    proxy = bell(dovecot.port)
    user = dovecot.user()
    client = proxy.session(user)
    phone = Phone()
    register(client, phone)
    dovecot.deliver(user, message())
    ring(apple, phone)
    apple_port = int(apple.url.rpartition(":")[2])

    def all_there():
        rows = tcp(proxy)
        return len([row for row in rows if row.local == proxy.port]) == 1 \
            and len([row for row in rows if row.remote == dovecot.port]) == 2 \
            and any(row.remote == apple_port for row in rows) and rows

    wait_until(all_there, "client, session, watcher, Apple")
    # 02 is keepalive; 01 stands there while something is not acknowledged.
    wait_until(lambda: {row.timer for row in all_there() or []} == {"02"},
               "a keepalive timer for each")
