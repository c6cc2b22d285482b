# SPDX-License-Identifier: ISC
"""What HTTP shows of a running imapbell, and to whom it costs anything."""
import contextlib
import os
import re
import signal
import socket
import time

import pytest

import exposition
from lmtp import message
from phone import Phone
from process import SLOW, wait_until
from test_processes import DIED
from test_ring import register, ring
from test_upgrade import mains

assert mains  # a fixture

HERE = ("--status", "127.0.0.1:0")
VISITORS_MAX = 64
REQUEST_S = 10


class Http:
    """The status of |proxy|, as browsers, balancers and Prometheus ask."""

    def __init__(self, proxy):
        self.port = int(proxy.wait_log(
            r"listening url=http://127\.0\.0\.1:(\d+)$")[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 20 * SLOW)

    def talk(self, request):
        """All that is answered until the connection is closed."""
        with self.connect() as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def ask(self, path, method="GET"):
        """(status, header, body)"""
        answer = self.talk(b"%s %s HTTP/1.1\r\nHost: x\r\n\r\n"
                           % (method.encode(), path.encode()))
        head, body = answer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        header = dict(line.lower().split(": ", 1) for line in lines[1:])
        assert method == "HEAD" or int(header["content-length"]) == len(body)
        return int(lines[0].split(" ")[1]), header, body.decode()

    def metrics(self):
        status, header, body = self.ask("/metrics")
        assert status == 200
        assert header["content-type"] == (
            "text/plain; version=0.0.4; charset=utf-8")
        return exposition.parse(body)

    def becomes(self, name, value, seconds=60):
        """Waits until the sample |name| is |value|."""
        wait_until(lambda: self.metrics()[name] == value,
                   "%s = %s" % (name, value), seconds)

    def ready(self, seconds=60):
        wait_until(lambda: self.ask("/readyz")[0] == 200, "ready", seconds)


def grown(before, after, name):
    return after[name] - before[name]


@pytest.mark.parametrize("workers", ["0", "1", "4"])
def test_numbers_are_what_was_done(bell, dovecot, apple, tls, workers):
    """One login, one registration, one mail, one push."""
    proxy = bell(dovecot.port, *HERE, "--workers", workers)
    http = Http(proxy)
    http.ready()
    http.becomes("imapbell_backend_up", 1)
    http.becomes("imapbell_store_up", 1)
    before = http.metrics()
    assert before['imapbell_build_info{version="0.1.0"}'] == 1
    assert before["imapbell_registrations"] == 0
    user, phone = dovecot.user(), Phone()
    client = proxy.session(user)
    register(client, phone)
    http.becomes('imapbell_users{state="watched"}', 1)
    delivered = time.monotonic()
    dovecot.deliver(user, message())
    ring(apple, phone)
    http.becomes("imapbell_push_duration_seconds_count", 1)
    http.becomes("imapbell_queue_depth", 0)
    after = http.metrics()
    for name, by in (
            ("imapbell_sessions_accepted_total", 1),
            ('imapbell_sessions{state="relay"}', 1),
            ('imapbell_sessions{state="opening"}', 0),
            ('imapbell_tls_handshakes_total{kind="full"}', 1),
            ('imapbell_tls_handshakes_total{kind="failed"}', 0),
            ('imapbell_logins_total{result="ok"}', 1),
            ('imapbell_logins_total{result="refused"}', 0),
            ("imapbell_registrations", 1),
            ('imapbell_registration_commands_total{result="ok"}', 1),
            ('imapbell_registration_commands_total{result="bad"}', 0),
            ('imapbell_watchers{state="watched",method="idle"}', 1),
            ('imapbell_watchers{state="dark",method="none"}', 0),
            ('imapbell_users{state="unwatched"}', 0),
            ('imapbell_events_total{kind="new"}', 1),
            ('imapbell_pushes_total{status="200",reason=""}', 1),
            ("imapbell_wake_rings_total", 0),
            ("imapbell_queue_depth", 0),
            ("imapbell_queue_oldest_seconds", 0),
            ("imapbell_store_errors_total", 0)):
        assert grown(before, after, name) == by, name
    for direction in ("to_client", "to_server"):
        assert grown(before, after, "imapbell_relayed_bytes_total"
                     '{direction="%s"}' % direction) > 0
    # the session's and the watcher's
    assert grown(before, after,
                 "imapbell_backend_connect_duration_seconds_count") >= 2
    assert 0 < after["imapbell_push_duration_seconds_sum"] < \
        time.monotonic() - delivered
    expiry = after["imapbell_credential_expiry_timestamp_seconds"]
    assert time.time() < expiry < time.time() + 4000 * 86400
    if workers != "0":
        for role in ("worker", "push", "status"):
            assert after['imapbell_process_restarts_total{role="%s"}'
                         % role] == 0
    for name in after:  # nobody's name
        for secret in (user, phone.token, phone.account, "127.0.0.1"):
            assert secret.lower() not in name.lower()
    with pytest.raises(AssertionError):
        proxy.connect().login(user, "wrong")
    http.becomes('imapbell_logins_total{result="refused"}', 1)
    client.logout()
    http.becomes('imapbell_sessions{state="relay"}', 0)
    with socket.create_connection(("127.0.0.1", proxy.port)) as stranger:
        stranger.sendall(b"a LOGIN without TLS\r\n")
        http.becomes('imapbell_tls_handshakes_total{kind="failed"}', 1)


def test_page_for_people(bell, dovecot):
    proxy = bell(dovecot.port, *HERE)
    http = Http(proxy)
    http.ready()
    http.becomes("imapbell_store_up", 1)
    with proxy.session(dovecot.user()):
        http.becomes('imapbell_sessions{state="relay"}', 1)
        status, header, page = http.ask("/")
    assert status == 200
    assert header["content-type"] == "text/html; charset=utf-8"
    assert header["cache-control"] == "no-store"
    assert header["content-security-policy"].startswith("default-src 'none'")
    assert header["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|https?:|src=|url\(|@import|<link", page)
    assert "width=device-width" in page
    for text in ("ready", "imapbell 0.1.0", "1 logged in, 0 not yet", " days",
                 "works, 0 errors", "0 watched, 0 unwatched"):
        assert text in page, text


def test_only_what_there_is(bell, dovecot):
    http = Http(bell(dovecot.port, *HERE))
    assert http.ask("/healthz")[::2] == (200, "alive\n")
    status, header, body = http.ask("/metrics", "HEAD")
    assert (status, body) == (200, "") and int(header["content-length"]) > 999
    assert http.ask("/nothing")[0] == 404
    status, header, _ = http.ask("/metrics", "POST")
    assert status == 405 and header["allow"] == "get, head"
    assert http.ask("/../etc/passwd")[0] == 404
    assert http.talk(b"\x16\x03\x01\x02\x00\n\n").startswith(
        b"HTTP/1.1 400 ")
    assert http.talk(b"GET / HTTP/1.1\r\nX: " + b"x" * 100000).startswith(
        b"HTTP/1.1 431 ")
    # One request a connection, whatever the visitor hopes for.
    answer = http.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("workers", ["0", "2"])
def test_slow_and_many_strangers_keep_nobody_out(bell, dovecot, workers):
    http = Http(bell(dovecot.port, *HERE, "--workers", workers))

    def served_at_once():
        """While they are all there: their time is not over."""
        begin = time.monotonic()
        strangers = [http.connect() for _ in range(VISITORS_MAX + 30)]
        for stranger in strangers:
            with contextlib.suppress(ConnectionError):  # the first are gone
                stranger.send(b"GET / HT")
        for _ in range(10):
            http.metrics()
        is_quick = time.monotonic() - begin < REQUEST_S / 2
        for stranger in strangers[:20] if is_quick else ():
            with contextlib.suppress(ConnectionError):
                assert stranger.recv(99) == b""  # gone, for those behind it
        for stranger in strangers:
            stranger.close()
        return is_quick

    # A machine is not busy all the time.
    assert any(served_at_once() for _ in range(3))
    with http.connect() as slow:
        slow.settimeout(6 * REQUEST_S * SLOW)
        for octet in b"GET /metrics HTTP/1.1\r":
            slow.send(bytes([octet]))
        answer = slow.recv(999)
    assert answer.startswith(b"HTTP/1.1 408 ")
    http.metrics()


def test_who_reads_slowly_is_left(bell, dovecot):
    """And costs the others nothing."""
    http = Http(bell(dovecot.port, *HERE))
    readers = []
    for _ in range(100):
        readers.append(http.connect())
        readers[-1].sendall(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(20):
        http.metrics()
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_not_ready_before_a_backend_was_reached(bell, nobody, workers):
    bell.allow(" error proxy backend ")
    proxy = bell(nobody, *HERE, "--workers", workers)
    http = Http(proxy)
    proxy.wait_log("error proxy backend .* is down")
    assert http.ask("/readyz")[::2] == (
        503, "not ready: no backend was reached yet\n")
    assert http.ask("/healthz")[0] == 200
    assert http.metrics()["imapbell_backend_up"] == 0
    assert "no backend was reached yet" in http.ask("/")[2]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_not_ready_while_it_drains(bell, dovecot, workers):
    proxy = bell(dovecot.port, *HERE, "--workers", workers, "-o",
                 "process.drain_s=600")
    http = Http(proxy)
    http.ready()
    client = proxy.session(dovecot.user())
    os.kill(proxy.pid, signal.SIGTERM)
    wait_until(lambda: http.ask("/readyz")[0] == 503, "not ready")
    assert http.ask("/readyz")[2] == (
        "not ready: imapbell ends, no client is accepted\n")
    assert http.ask("/healthz")[0] == 200
    client.ok("NOOP")
    client.logout()
    assert proxy.process.popen.wait(60 * SLOW) == 0


def test_counters_outlive_a_worker_and_gauges_do_not(bell, dovecot):
    bell.allow(DIED)
    proxy = bell(dovecot.port, *HERE, "--workers", "2")
    http = Http(proxy)
    user = dovecot.user()
    for _ in range(8):
        proxy.session(user)
    http.becomes('imapbell_sessions{state="relay"}', 8)
    for pid in proxy.children("worker"):
        os.kill(pid, signal.SIGKILL)
    http.becomes('imapbell_sessions{state="relay"}', 0)
    http.becomes('imapbell_process_restarts_total{role="worker"}', 2)
    assert http.metrics()["imapbell_sessions_accepted_total"] == 8
    wait_until(lambda: len(proxy.children("worker")) == 2, "two workers", 60)
    http.ready()
    proxy.session(user).logout()
    http.becomes("imapbell_sessions_accepted_total", 9)


def test_status_process_comes_back_and_costs_no_session(bell, dovecot):
    bell.allow(r" error role status 1 pid=\d+ died: signal 9")
    proxy = bell(dovecot.port, *HERE, "--workers", "1")
    http = Http(proxy)
    client = proxy.session(dovecot.user())
    for pid in proxy.children("status"):
        os.kill(pid, signal.SIGKILL)
    http.becomes('imapbell_process_restarts_total{role="status"}', 1)
    http.becomes('imapbell_sessions{state="relay"}', 1)
    client.ok("NOOP")


def test_dump_and_metrics_say_the_same(bell, dovecot):
    proxy = bell(dovecot.port, *HERE, "--workers", "2")
    http = Http(proxy)
    http.ready()
    proxy.session(dovecot.user())
    http.becomes('imapbell_logins_total{result="ok"}', 1)
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGUSR1)
    proxy.wait_log(r" metric name=imapbell_build_info\{.*\} value=1$",
                   start=start)
    dump = dict(re.findall(r" metric name=(\S+) value=(\S+)$",
                           proxy.log()[start:], re.M))
    shown = http.metrics()
    assert dump['imapbell_logins_total{result="ok"}'] == "1"
    assert dump.keys() <= shown.keys()


def test_upgrade_keeps_the_port(bell, dovecot, mains):
    """The numbers of the new main are shown where those of the old one were."""
    proxy = bell(dovecot.port, *HERE, "--workers", "1")
    http = Http(proxy)
    http.ready()
    user = dovecot.user()
    with proxy.session(user) as client:
        http.becomes('imapbell_sessions{state="relay"}', 1)
        line = mains(proxy)
        line.upgrade()
        wait_until(lambda: not proxy.children("status"), "the old one's end",
                   60)
        http.becomes('imapbell_sessions{state="relay"}', 0)
        http.ready()
        client.ok("NOOP")
    proxy.session(user).ok("NOOP")
    http.becomes("imapbell_sessions_accepted_total", 1)
