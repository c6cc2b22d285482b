# SPDX-License-Identifier: ISC
"""Delivers mail as an MTA does, over LMTP."""
import socket
import time

from process import PATIENCE, SLOW


def message(subject="hello", body="How do you do?\r\n"):
    """A message with |subject| and |body|, CRLF line ends, as octets."""
    return ("From: Anna <anna@example.org>\r\n"
            "To: Ben <ben@example.org>\r\n"
            "Subject: %s\r\n"
            "Date: Sun, 01 Mar 2026 10:00:00 +0000\r\n"
            "Message-ID: <%d@example.org>\r\n"
            "\r\n%s" % (subject, time.monotonic_ns(), body)).encode()


def deliver(port, recipient, data):
    """
    Delivers |data| and returns the monotonic nanoseconds at which the server
    had it and had not yet answered.
    """
    with socket.create_connection(("127.0.0.1", port),
                                  PATIENCE * SLOW) as sock, \
            sock.makefile("rb") as replies:
        def say(text, expected):
            if text is not None:
                sock.sendall(text)
            while True:
                reply = replies.readline()
                if reply[3:4] != b"-":
                    break
            if not reply.startswith(expected):
                raise AssertionError("LMTP %r: %r" % (text, reply))

        say(None, b"220")
        say(b"LHLO test.example\r\n", b"250")
        say(b"MAIL FROM:<anna@example.org>\r\n", b"250")
        say(b"RCPT TO:<%s>\r\n" % recipient.encode(), b"250")
        say(b"DATA\r\n", b"354")
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        sock.sendall(stuffed)
        handed_ns = time.monotonic_ns()
        say(b".\r\n", b"250")
        sock.sendall(b"QUIT\r\n")
        return handed_ns
