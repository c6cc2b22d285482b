# SPDX-License-Identifier: ISC
"""
A TCP relay in front of a server: records both directions with the time, and
delays or holds what a test wants delayed or held.
"""
import socket
import threading
import time

from process import SLOW, wait_until

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

    def wait(self, seconds=10.0):
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


class Relay:
    def __init__(self, target):
        self.target = target
        self.links = []
        self.holds = []
        self.delay = {TO_SERVER: 0.0, TO_CLIENT: 0.0}
        self.chunk = 65536  # octets taken at once
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for hold in self.holds:
            hold.release()
        for sock in [self.listener] + self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def hold(self, way, pattern):
        hold = Hold(way, pattern)
        self.holds.append(hold)
        return hold

    def link(self, pattern, seconds=10.0):
        """The newest connection on which |pattern| went to the server."""
        def found():
            return next((link for link in reversed(self.links)
                         if pattern in link.octets(TO_SERVER)), None)

        return wait_until(found, "a connection with %r" % pattern, seconds)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            link = Link()
            self.links.append(link)
            self.sockets += [client, server]
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for way, source, sink in ((TO_SERVER, client, server),
                                      (TO_CLIENT, server, client)):
                threading.Thread(target=self._pump, daemon=True,
                                 args=(link, way, source, sink)).start()

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
                        hold.released.wait(60 * SLOW)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
