# SPDX-License-Identifier: ISC
"""A balancer in front says who the client is: the PROXY protocol, coming in."""
import re
import socket
import ssl
import struct
import time

import pytest

from imap import Imap
from process import SLOW, processor_s, wait_until

V1 = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 993\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2 = (SIGNATURE + b"\x21\x11" + struct.pack(">H", 12 + 7)
      + socket.inet_aton("203.0.113.9") + socket.inet_aton("198.51.100.1")
      + struct.pack(">HH", 4711, 993)
      + b"\x02\0\x04host"[:7])  # what follows the addresses is skipped
V6 = b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 993\r\n"
V2_LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"
SAID = {"v1": (V1, "203.0.113.9:4711"), "v2": (V2, "203.0.113.9:4711"),
        "v6": (V6, "[2001:db8::9]:4711")}


def behind_a_balancer(bell, port, trusted="127.0.0.0/8", *options):
    """One with a listener for a balancer of each kind, and none without."""
    urls = ("imaps", "imap", "imap+starttls")
    groups = ", ".join(
        '{ url = "%s://127.0.0.1:0"; proxy_protocol = true; '
        'proxy_trusted = ( "%s" ); }' % (url, trusted) for url in urls)
    return bell(port, "-o", "listen=( %s )" % groups, *options)


def port_of(proxy, scheme):
    return int(re.search(r"listening url=%s://127\.0\.0\.1:(\d+)"
                         % re.escape(scheme), proxy.log())[1])


class Balanced(Imap):
    """A client of a plain listener, after |header| in pieces of |each|."""

    def __init__(self, port, header, each=None, greeting=True):
        super().__init__(port, greeting=False)
        for at in range(0, len(header), each or len(header)):
            self.send(header[at:at + (each or len(header))])
            if each is not None:
                time.sleep(0.002)
        self.greeting = self.response() if greeting else None


class Tls:
    """TLS by hand over |sock|, so that a test decides about segments."""

    def __init__(self, sock, ca, **how):
        context = ssl.create_default_context(cafile=ca)
        self.sock = sock
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing,
                                    server_hostname="localhost", **how)

    def hello(self):
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def go(self, step):
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                data = self.sock.recv(65536)
                assert data != b""
                self.incoming.write(data)
            else:
                self.sock.sendall(self.outgoing.read())
                return result


@pytest.mark.parametrize("version", SAID)
@pytest.mark.parametrize("each", [None, 1], ids=["whole", "octets"])
def test_who_the_client_is(bell, dovecot, version, each):
    header, address = SAID[version]
    proxy = behind_a_balancer(bell, dovecot.port)
    with Balanced(port_of(proxy, "imap"), header, each) as client:
        client.login(dovecot.user())
    proxy.wait_log(r"session begin peer=%s via=127\.0\.0\.1:\d+ listener=imap:"
                   % re.escape(address))


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_header_and_hello_in_one_segment(bell, tls, dovecot, header):
    proxy = behind_a_balancer(bell, dovecot.port)
    with socket.create_connection(("127.0.0.1", proxy.port), 60) as sock:
        client = Tls(sock, tls.ca)
        sock.sendall(header + client.hello())
        client.go(client.tls.do_handshake)
        assert client.go(lambda: client.tls.read(65536)).startswith(b"* OK [")


def test_header_and_starttls(bell, dovecot, tls):
    proxy = behind_a_balancer(bell, dovecot.port)
    client = Balanced(port_of(proxy, "imap+starttls"), V1)
    client.ok("STARTTLS")
    client.sock = ssl.create_default_context(cafile=tls.ca).wrap_socket(
        client.sock, server_hostname="localhost")
    client.login(dovecot.user())
    client.close()


@pytest.mark.parametrize("header", [UNKNOWN, V2_LOCAL],
                         ids=["unknown", "local"])
def test_health_checks_speak_for_themselves(bell, dovecot, header):
    proxy = behind_a_balancer(bell, dovecot.port)
    with Balanced(port_of(proxy, "imap"), header) as client:
        client.logout()
    proxy.wait_log(r"session begin peer=127\.0\.0\.1:\d+ listener=imap:")


def test_health_checks_may_say_nothing(bell, dovecot):
    proxy = behind_a_balancer(bell, dovecot.port)
    for _ in range(3):
        socket.create_connection(("127.0.0.1", proxy.port), 60).close()
    with Balanced(port_of(proxy, "imap"), V1) as client:
        client.logout()
    assert " warn proxy" not in proxy.log()


def test_limits_count_who_it_is(bell, dovecot):
    """Many clients of one balancer are not one client."""
    proxy = behind_a_balancer(bell, dovecot.port, "127.0.0.0/8", "-o",
                              "limits.logins_pending_per_address=2")
    port = port_of(proxy, "imap")
    clients = [Balanced(port, b"PROXY TCP4 203.0.113.%d 198.51.100.1 4711 993"
                        b"\r\n" % n) for n in range(5)]
    for client in clients:
        client.ok("NOOP")
    # One more than all workers may have of one address.
    more = [Balanced(port, V1) for _ in range(2 * proxy.facing + 1)]
    begun = re.findall(r"proxy\[(\d+)\] session begin peer=203\.0\.113\.9:4711",
                       proxy.log())
    of_worker = [int(number) % proxy.facing for number in begun]
    assert len(begun) == len(more)
    for i, client in enumerate(more):
        if of_worker[i:].count(of_worker[i]) > 2:
            assert b"BYE" in client.rest()
        else:
            clients.append(client)
    assert len(clients) < 5 + len(more)
    for client in clients:
        client.ok("NOOP")
        client.close()


def test_strangers_are_refused(bell, dovecot):
    """One line each, but not for each of a flood to one process: ten, and one
    more each second."""
    proxy = behind_a_balancer(bell, dovecot.port, trusted="192.0.2.0/24")
    start = time.monotonic()
    for _ in range(40 * proxy.facing):
        with Balanced(port_of(proxy, "imap"), V1, greeting=False) as client:
            assert client.rest() == b""
    line = r"warn proxy refused 127\.0\.0\.1:\d+ at imap://\S+ " \
           r"not in listen\.proxy_trusted"
    proxy.wait_log(line)
    each = len(re.findall(line, proxy.log())) / proxy.facing
    assert 10 <= each <= 10 + time.monotonic() - start + 1
    assert "session begin" not in proxy.log()


def test_what_is_no_header_is_named(bell, tls, dovecot):
    proxy = behind_a_balancer(bell, dovecot.port)
    with Balanced(port_of(proxy, "imap"), b"a NOOP\r\n",
                  greeting=False) as client:
        assert client.rest() == b""
    proxy.wait_log(r'warn proxy refused 127\.0\.0\.1:\d+ at imap://\S+ '
                   r'expected a PROXY header, got "a NOOP\\x0d\\x0a"')
    with socket.create_connection(("127.0.0.1", proxy.port), 60) as sock:
        sock.sendall(Tls(sock, tls.ca).hello())
        with pytest.raises(ConnectionResetError):
            assert sock.recv(1) == b""
            raise ConnectionResetError
    proxy.wait_log("expected a PROXY header, got a TLS handshake")
    assert "session begin" not in proxy.log()


def test_silence_ends_after_five_seconds_without_a_spin(bell, dovecot):
    proxy = behind_a_balancer(bell, dovecot.port)
    before = processor_s(proxy.pids)
    start = time.monotonic()
    client = Balanced(port_of(proxy, "imap"), V2[:20], greeting=False)
    client.seconds = 30 * SLOW  # and not as late as who does not log in
    assert client.rest() == b""
    assert 4.5 < time.monotonic() - start
    assert processor_s(proxy.pids) - before < 1
    client.close()
    proxy.wait_log("expected a PROXY header, got only a part of it in time")


def test_stopping_waits_for_no_header(bell, dovecot):
    proxy = behind_a_balancer(bell, dovecot.port)
    client = Balanced(port_of(proxy, "imap"), V1[:9], greeting=False)
    start = time.monotonic()
    proxy.stop()
    # It was not waited for, however long it takes a busy machine to stop.
    assert "only a part of it in time" not in proxy.log() \
        or time.monotonic() - start < 4
    assert client.rest() == b""


@pytest.mark.parametrize("header", [V1, V2, UNKNOWN],
                         ids=["v1", "v2", "unknown"])
def test_a_header_that_nobody_asked_for(bell, dovecot, header):
    """The likely cause is said, of a plain listener and of one with TLS."""
    proxy = bell(dovecot.port, "-l", "imap://127.0.0.1:0")
    with Imap(port_of(proxy, "imap")) as client:
        client.send(header + b"a LOGOUT\r\n")
        assert b" BAD " in client.rest()
    proxy.wait_log("a PROXY header on a listener without proxy_protocol")
    with socket.create_connection(("127.0.0.1", proxy.port), 60) as sock:
        sock.sendall(header)
        sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: "PROXY header came where TLS was expected"
                   in proxy.log(), "the likely cause")
