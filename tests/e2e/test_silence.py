# SPDX-License-Identifier: ISC
"""
A cable that was pulled: no FIN, no RST, only silence, in a network namespace.
The figures are those of net/wire.
"""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time

import pytest

from imap import Imap
from relay import Peer, Relay

OURS, THEIRS = "198.51.100.1", "198.51.100.2"
CLONE_NEWNET = 0x40000000

# The kernel asks, and asks again; and some air.
SERVER_S = (120, 120 + 2 * 15 + 10)
CLIENT_S = (300, 300 + 2 * 60 + 10)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


class Cable:
    """A link between us and a namespace where somebody else lives."""

    def __init__(self):
        name = "bell%d" % os.getpid()
        self.there, self.ours, self.theirs = name, name + "a", name + "b"
        self.whole = ip("netns", "add", name) and all(ip(*words.split()) for
                                                      words in (
            f"link add {self.ours} type veth peer name {self.theirs} "
            f"netns {name}",
            f"addr add {OURS}/30 dev {self.ours}",
            f"link set {self.ours} up",
            f"-n {name} addr add {THEIRS}/30 dev {self.theirs}",
            f"-n {name} link set {self.theirs} up"))

    def inside(self, function):
        """What function() returns there; its sockets stay there."""
        result = []

        def work():
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open("/run/netns/" + self.there, os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(fd)
            result.append(function())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return result[0]

    def pull(self):
        assert ip("-n", self.there, "link", "set", self.theirs, "down")

    def remove(self):
        ip("link", "del", self.ours)
        ip("netns", "del", self.there)


@pytest.fixture
def cable():
    made = Cable()
    if made.whole:
        yield made
    made.remove()
    if not made.whole:
        pytest.skip("needs root for a network namespace, and ip")


class Server(threading.Thread):
    """Lets everybody in, in the other namespace."""

    def __init__(self, cable):
        super().__init__(daemon=True)
        self.sock = cable.inside(
            lambda: socket.create_server((THEIRS, 0)))
        self.port = self.sock.getsockname()[1]
        self.peers = []
        self.start()

    def run(self):
        while True:
            peer = Peer(self.sock.accept()[0])
            self.peers.append(peer)  # stays open
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    @staticmethod
    def _serve(peer):
        with contextlib.suppress(OSError):
            peer.let_in()


def plain_port(proxy, host):
    return int(proxy.wait_log(r"listening url=imap://%s:(\d+)" % host)[1])


def ends_in(proxy, reason, begin, least, most):
    proxy.wait_log(r" session end reason=\"%s\" user=\"user\"" % reason, most)
    assert time.monotonic() - begin > least - 5


@pytest.mark.long
@pytest.mark.timeout(600)
def test_pulled_cable(bell, cable):
    """A session whose server, and one whose client fell silent, both idle."""
    bell.allow(" error proxy")
    server = Server(cable)
    one = bell(1, "-l", "imap://127.0.0.1:0",
               "-b", "imap://%s:%d" % (THEIRS, server.port))
    here = Imap(plain_port(one, "127.0.0.1"))
    here.login("user")
    with Relay(0, lambda peer: (peer.let_in(), peer.stall())) as relay:
        two = bell(relay.port, "-l", "imap://%s:0" % OURS)
        port = plain_port(two, OURS)
        there = cable.inside(lambda: socket.create_connection((OURS, port)))
        there.sendall(b"a LOGIN user pass\r\n")
        two.wait_log(r" login user=\"user\" result=ok")
        begin = time.monotonic()
        cable.pull()
        ends_in(one, ".*Connection to the backend lost.", begin, *SERVER_S)
        assert here.rest().startswith(b"* BYE ")
        ends_in(two, "client lost", begin, *CLIENT_S)
    there.close()
