# SPDX-License-Identifier: ISC
"""A TCP server that does what a test says, however wrong that is."""
import socket
import threading


class Peer:
    """One client of it."""

    def __init__(self, sock):
        self.sock = sock
        self.lines = sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """The next line of the client; b"" at the end."""
        return self.lines.readline()

    def octets(self, count):
        return self.lines.read(count)

    def until_closed(self):
        while self.lines.readline():
            pass


class Scripted:
    """Runs |script|(peer) for each connection in a thread, then closes it."""

    def __init__(self, script):
        self.script = script
        self.count = 0
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in [self.listener] + self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            self.open.append(sock)
            threading.Thread(target=self._run, args=(sock,),
                             daemon=True).start()

    def _run(self, sock):
        try:
            self.script(Peer(sock))
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
