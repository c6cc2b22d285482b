# SPDX-License-Identifier: ISC
"""
A TCP relay in front of a server: records both directions with the time,
delays or holds what a test wants delayed or held, or plays the server itself
as a test scripts it, however wrong that is.
"""
import contextlib
import re
import socket
import threading
import time

from process import PATIENCE, SLOW, wait_until

TO_SERVER = "to server"
TO_CLIENT = "to client"


class Hold:
    """
    What goes |way| and contains |pattern| waits, with all behind it, until
    release(); |reached| is set as soon as it is there.
    """

    def __init__(self, way, pattern):
        self.way = way
        self.pattern = pattern
        self.reached = threading.Event()
        self.released = threading.Event()

    def wait(self, seconds=PATIENCE):
        if not self.reached.wait(seconds * SLOW):
            raise TimeoutError("%r never came" % self.pattern)

    def release(self):
        self.released.set()


class Link:
    """One connection through the relay: (monotonic ns, octets) each way."""

    def __init__(self):
        self.chunks = {TO_SERVER: [], TO_CLIENT: []}

    def octets(self, way):
        return b"".join(data for _, data in self.chunks[way])

    def time_of(self, way, pattern, start=0):
        """When the chunk with |pattern| came, not before chunk |start|."""
        for when, data in self.chunks[way][start:]:
            if pattern in data:
                return when
        return None


class Peer:
    """One client of a scripted server."""

    def __init__(self, sock):
        self.sock = sock
        self.lines = sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """The client's next line; OSError at its end."""
        line = self.lines.readline()
        if line == b"":
            raise OSError("closed")
        return line

    def stall(self):
        """Says nothing until the client goes."""
        while True:
            self.line()

    def let_in(self):
        """Answers all commands OK, up to and with the login."""
        self.send(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
        while True:
            tag, verb = self.line().split()[:2]
            if verb.upper() == b"CAPABILITY":
                self.send(b"* CAPABILITY IMAP4rev1\r\n")
            self.send(tag + b" OK done\r\n")
            if verb.upper() == b"LOGIN":
                return

    def command(self):
        """The tag of the client's next command."""
        return self.line().split()[0]


class Relay:
    """
    |target|: the port of the server. While |instead| is set, that is called
    with a Peer for each new connection, in a thread of its own.
    """

    def __init__(self, target, instead=None):
        self.target = target
        self.instead = instead
        self.links = []
        self.holds = []
        self.delay = {TO_SERVER: 0.0, TO_CLIENT: 0.0}
        self.chunk = 65536  # octets taken at once
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        self._thread(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for hold in self.holds:
            hold.release()
        self.refuse()
        self.cut()

    def cut(self):
        """All connections that there are end."""
        for sock in self.sockets:
            end(sock)
        self.sockets.clear()

    def refuse(self):
        """Nobody listens from here on; what is connected stays."""
        end(self.listener)

    def hold(self, way, pattern):
        hold = Hold(way, pattern)
        self.holds.append(hold)
        return hold

    def link(self, pattern, seconds=PATIENCE):
        """The newest connection on which |pattern| went to the server."""
        def found():
            return next((link for link in reversed(self.links)
                         if re.search(pattern, link.octets(TO_SERVER), re.S)),
                        None)

        return wait_until(found, "a connection with %r" % pattern, seconds)

    def _thread(self, function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.instead is not None:
                self.sockets.append(client)
                self._thread(self._play, self.instead, client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                end(client)
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link()
            self.links.append(link)
            self.sockets += client, server  # from here on cut() may close them
            self._thread(self._pump, link, TO_SERVER, client, server)
            self._thread(self._pump, link, TO_CLIENT, server, client)

    def _play(self, script, client):
        with contextlib.suppress(OSError):
            script(Peer(client))
        end(client)

    def _pump(self, link, way, source, sink):
        try:
            while True:
                data = source.recv(self.chunk)
                link.chunks[way].append((time.monotonic_ns(), data))
                if data == b"":
                    break
                if self.delay[way]:
                    time.sleep(self.delay[way])
                for hold in self.holds:
                    if hold.way == way and hold.pattern in data:
                        hold.reached.set()
                        hold.released.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            end(source)
            end(sink)


def end(sock):
    """Shuts down before closing: another thread may be reading from it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
