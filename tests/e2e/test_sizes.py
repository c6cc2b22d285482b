# SPDX-License-Identifier: ISC
"""
However long a literal or a line is, imapbell holds next to nothing of it: in
both directions, and while the other side takes its time.
"""
import re
from pathlib import Path

import pytest

import imapbell
from relay import Relay

MIB = 1 << 20
# What a session may cost at its peak, sanitizers included.
HELD = 6 * MIB
BLOCK = b"x" * 65536
SIZES = [pytest.param(48 * MIB, id="48M"),
         pytest.param(1024 * MIB, id="1G", marks=pytest.mark.long)]
LITERAL, LINE = "literal", "line"


@pytest.fixture
def quick_to_free(monkeypatch):
    """AddressSanitizer would keep what was freed, and that is not held."""
    options = imapbell.ENVIRONMENT.get("ASAN_OPTIONS", "")
    monkeypatch.setitem(imapbell.ENVIRONMENT, "ASAN_OPTIONS",
                        options + ":quarantine_size_mb=0"
                        ":thread_local_quarantine_size_kb=0")


def peak(bell):
    """Of all its processes together, what each ever had."""
    texts = [Path("/proc/%d/status" % pid).read_text() for pid in bell.pids]
    return sum(int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024
               for text in texts)


def send_much(send, size):
    for _ in range(size // len(BLOCK)):
        send(BLOCK)


def take_much(read, size):
    while size > 0:
        got = len(read(min(size, 65536)))
        assert got, "ended early"
        size -= got


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", [LITERAL, LINE])
def test_from_the_client(bell, quick_to_free, what, size):
    """An APPEND of that size, or a command without an end for as long."""
    start = b"x APPEND INBOX {%d+}\r\n" % size if what == LITERAL else b"x X "

    def script(peer):
        peer.let_in()
        if what == LITERAL:
            peer.line()
            peer.send(b"+ go on\r\n")
        else:
            take_much(peer.lines.read, len(start))
        take_much(peer.lines.read, size)
        assert peer.line() == b"\r\n"
        peer.send(b"x OK done\r\n")
        peer.stall()

    with Relay(None, script) as relay:
        proxy = bell(relay.port)
        proxy.wait_known(seconds=60)  # each process has had a connection
        client = proxy.session("u")
        before = peak(proxy)
        client.send(start)
        send_much(client.send, size)
        client.send(b"\r\n")
        assert client.until("x")[-1] == b"x OK done\r\n"
        assert peak(proxy) - before < HELD


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("start, end", [
    (b"* 1 FETCH (BODY[] {%d}\r\n", b")\r\n"), (b"* 1 FETCH (X ", b")\r\n"),
    (b"* OK ", b"\r\n"), (b"* CAPABILITY IMAP4rev1 ", b"\r\n"),
    (b"x OK ", b"\r\n"), (b"+ ", b"\r\n"), (b"", b"\r\n"),
], ids=["literal", "data", "status", "capability", "tagged", "continuation",
        "nothing"])
def test_from_the_server(bell, quick_to_free, start, end, size):
    """A response of that size, or a line of each kind."""
    if b"%d" in start:
        start = start % size

    def script(peer):
        peer.let_in()
        peer.command()
        peer.send(start)
        send_much(peer.send, size)
        peer.send(end + b"z OK done\r\n")
        peer.stall()

    with Relay(None, script) as relay:
        proxy = bell(relay.port)
        proxy.wait_known(seconds=60)  # each process has had a connection
        client = proxy.session("u")
        before = peak(proxy)
        client.send(b"z NOOP\r\n")
        # Not by |client|, which would keep it all.
        lines = client.sock.makefile("rb")
        assert lines.read(len(start)) == start
        take_much(lines.read, size)
        end += b"z OK done\r\n"
        assert lines.read(len(end)) == end
        assert peak(proxy) - before < HELD
