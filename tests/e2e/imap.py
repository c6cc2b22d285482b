# SPDX-License-Identifier: ISC
"""
A raw IMAP client: sends exactly what it is given, keeps every octet that it
received, and frames responses no further than is needed to find their end.
"""
import base64
import re
import socket
import ssl
import time

from process import PATIENCE, SLOW

LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
STATUS = re.compile(rb"(\S+) (OK|NO|BAD|BYE|PREAUTH)\b", re.I)


class Closed(Exception):
    """The server closed; str() says what it had sent of a response."""


class Imap:
    """
    One connection, TLS when |ca| is given, from the address |source| if that
    is given. |received| holds all octets since the start; each read has
    |seconds| to bring something.
    """

    def __init__(self, port, ca=None, seconds=PATIENCE, greeting=True,
                 source=None):
        self.seconds = seconds * SLOW
        # What is bound has a port of those that listeners get.
        self.sock = socket.create_connection(
            ("127.0.0.1", port), self.seconds,
            source_address=source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca is not None:
            self.sock = ssl.create_default_context(cafile=ca).wrap_socket(
                self.sock, server_hostname="localhost")
        self.received = bytearray()
        self.taken = 0
        self.count = 0
        self.greeting = self.response() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # octets

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        self.sock.settimeout(self.seconds)
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(repr(error)) from None
        except TimeoutError:
            raise TimeoutError("nothing within %g s after %r" % (
                self.seconds, bytes(self.received[-400:]))) from None
        if data == b"":
            raise Closed(repr(bytes(self.received[self.taken:])))
        self.received += data

    def _take(self, length):
        while len(self.received) < self.taken + length:
            self._more()
        data = bytes(self.received[self.taken:self.taken + length])
        self.taken += length
        return data

    def line(self):
        while True:
            end = self.received.find(b"\n", self.taken)
            if end >= 0:
                return self._take(end + 1 - self.taken)
            self._more()

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self._more()
        except Closed:
            return self._take(len(self.received) - self.taken)

    def quiet(self, seconds):
        """What comes within |seconds| although nothing is due: b"" is good."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return bytes(self.received[self.taken:])
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                continue
            if data == b"":
                return bytes(self.received[self.taken:])
            self.received += data

    # responses and commands

    def response(self):
        """One response, literals and line end included."""
        data = self.line()
        if not STATUS.match(data) and not data.startswith(b"+"):
            while True:
                literal = LITERAL.search(data)
                if literal is None:
                    break
                data += self._take(int(literal[1])) + self.line()
        return data

    def until(self, tag):
        """The responses up to and with the one of |tag|."""
        responses = []
        start = tag.encode() + b" "
        while not responses or not responses[-1].startswith(start):
            responses.append(self.response())
        return responses

    def tag(self):
        self.count += 1
        return "a%d" % self.count

    def command(self, text, tag=None):
        """Sends one line and returns the responses up to its tagged one."""
        tag = tag or self.tag()
        if isinstance(text, str):
            text = text.encode()
        self.send(tag.encode() + b" " + text + b"\r\n")
        return self.until(tag)

    def ok(self, text, tag=None):
        responses = self.command(text, tag)
        assert_ok(responses[-1])
        return responses

    def literal(self, start, *parts):
        """
        A command with synchronising literals: |parts| are in turn the octets
        of a literal and the text after it.
        """
        tag = self.tag()
        line = tag.encode() + b" " + start
        for i in range(0, len(parts), 2):
            self.send(line + b"{%d}\r\n" % len(parts[i]))
            go = self.response()
            if not go.startswith(b"+"):
                return [go] if go.startswith(tag.encode()) \
                    else [go] + self.until(tag)
            self.send(parts[i])
            line = parts[i + 1] if i + 1 < len(parts) else b""
        self.send(line + b"\r\n")
        return self.until(tag)

    def append(self, mailbox, message):
        responses = self.literal(b"APPEND %s " % mailbox.encode(), message)
        assert_ok(responses[-1])
        return responses

    def fetch_body(self, number=1):
        """The octets of a message, flags untouched."""
        for response in self.ok("FETCH %d BODY.PEEK[]" % number):
            found = re.match(rb"\* %d FETCH .*BODY\[\] \{(\d+)\}\r\n" % number,
                             response)
            if found:
                return response[found.end():found.end() + int(found[1])]
        raise AssertionError("no message %d" % number)

    # logins

    def login(self, user, password="pass", how="LOGIN"):
        """|how|: LOGIN, PLAIN, or PLAIN-IR with an initial response."""
        if how == "LOGIN":
            responses = self.command('LOGIN "%s" "%s"' % (user, password))
        else:
            secret = base64.b64encode(
                b"\0%s\0%s" % (user.encode(), password.encode()))
            if how == "PLAIN-IR":
                responses = self.command(b"AUTHENTICATE PLAIN " + secret)
            else:
                tag = self.tag()
                self.send(tag.encode() + b" AUTHENTICATE PLAIN\r\n")
                go = self.response()
                assert go.startswith(b"+"), go
                self.send(secret + b"\r\n")
                responses = self.until(tag)
        assert_ok(responses[-1])
        return responses

    def logout(self):
        responses = self.command("LOGOUT")
        assert responses[-2].startswith(b"* BYE"), responses
        assert_ok(responses[-1])
        self.close()


def assert_ok(response):
    assert re.match(rb"\S+ OK\b", response, re.I), response


def capabilities(response):
    """The words of a capability list, as untagged data or response code."""
    found = re.search(rb"CAPABILITY ([^\]\r\n]*)", response, re.I)
    return found[1].decode().split() if found else []
