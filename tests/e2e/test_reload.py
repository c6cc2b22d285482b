# SPDX-License-Identifier: ISC
"""
SIGHUP: each group of options is taken over by every process while sessions go
on; what is wrong changes nothing and is named; what takes a restart is named.
"""
import contextlib
import os
import re
import signal
import ssl
import threading
import time
import urllib.request

import pytest

from imap import Closed, Imap, capabilities
from lmtp import message
from notify import told
from phone import Phone
from process import SLOW, wait_until
from relay import Relay
from test_folders import echoed, news
from test_limits import serve
from test_processes import DIED, is_open, kill_one
from test_ring import register, ring
from test_tls import context_for, handshake, self_signed, shown

WORKERS = ("0", "1", "4")


class Operator:
    """Who writes the configuration of one imapbell, and says SIGHUP."""

    def __init__(self, bell, dovecot, folder, notified):
        self.bell = bell
        self.dovecot = dovecot
        self.file = folder / "imapbell.conf"
        self.notified = notified
        self.proxy = None

    def start(self, text="", *options):
        self.write(text)
        self.proxy = self.bell(self.dovecot.port, "-c", self.file, *options)
        assert told(self.notified)["READY"] == "1"
        return self.proxy

    def write(self, text):
        """As editors do: there is no half of it at any time."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        draft.rename(self.file)

    def hang_up(self, text=None):
        """Has the file hold |text|; what was logged until all was over."""
        if text is not None:
            self.write(text)
        start = len(self.proxy.log())
        os.kill(self.proxy.pid, signal.SIGHUP)
        self.settle()
        return self.proxy.log()[start:]

    def settle(self):
        """Waits for the end of a reload."""
        assert told(self.notified)["RELOADING"] == "1"
        assert told(self.notified)["READY"] == "1"

    def changes(self, text):
        """That changes something, and all of it is good."""
        log = self.hang_up(text)
        assert "SIGHUP: changed: " in log, log
        assert not re.search(r"(?m)^\S+ (error|warn) conf", log), log
        return log


@pytest.fixture
def operator(bell, dovecot, tmp_path, manager):
    return Operator(bell, dovecot, tmp_path, manager)


def certificates(*paths):
    return ('tls = { certificates = ( { certificate = "%s"; key = "%s"; } ); '
            "};\n" % paths)


def refuses(proxy):
    """A connection that is closed instead of greeted."""
    try:
        with proxy.connect() as client:
            return not client.greeting.startswith(b"* OK")
    except (OSError, Closed, ssl.SSLError):
        return True


# what takes effect

def test_nothing_has_changed(operator):
    operator.start("push = { merge_ms = 300; };\n")
    log = operator.hang_up("push: { merge_ms = 0x12c }\n")
    assert "info conf SIGHUP: no option has changed" in log
    assert "take a restart" not in log


def test_limits(operator, dovecot):
    """Sessions above a lower limit stay; no other comes until it is raised."""
    proxy = operator.start()
    user = dovecot.user()
    clients = [proxy.session(user) for _ in range(3)]
    operator.changes("limits = { sessions = 1; };\n")
    assert any(refuses(proxy) for _ in range(100))  # each process has one
    for client in clients:
        client.ok("NOOP")
    operator.changes("limits = { sessions = 500; };\n")
    for client in clients + [proxy.session(user) for _ in range(10)]:
        client.ok("NOOP")


def test_login_failures(operator):
    """They count for who is there already, too."""
    with Relay(0, serve) as server:
        proxy = operator.start("", "-b", "imap://127.0.0.1:%d" % server.port)
        with proxy.connect() as client:
            assert b" NO " in client.command("LOGIN anna wrong")[-1]
            operator.changes("limits = { login_failures = 2; };\n")
            assert b" NO " in client.command("LOGIN anna wrong")[-1]
            assert b"* BYE Too many" in client.response()


def test_timeouts(operator, dovecot):
    proxy = operator.start()
    old = proxy.session(dovecot.user())
    start = len(proxy.log())
    operator.changes("timeouts = { login_s = 5; };\n")
    with proxy.connect():
        proxy.wait_log(r'session end reason="Login took', 30, start)
    old.ok("NOOP")
    operator.changes("timeouts = { idle_s = 1; };\n")
    start = len(proxy.log())
    with proxy.session(dovecot.user()):
        proxy.wait_log(r'session end reason="Idle for', 30, start)


def test_log(operator, dovecot):
    """In each process."""
    proxy = operator.start()
    with proxy.session(dovecot.user()):
        pass
    assert " debug " not in proxy.log()
    operator.changes('log = { level = "debug"; };\n')
    start = len(proxy.log())
    with proxy.session(dovecot.user()) as client:
        register(client, Phone())
        proxy.wait_log(r" debug proxy\[\d+\] state", start=start)
        proxy.wait_log(r" debug watch\[\d+\] state", start=start)
    operator.changes('log = { format = "json"; };\n')
    start = len(proxy.log())
    proxy.session(dovecot.user())
    proxy.wait_log(r'^\{.*session begin', start=start)
    assert "debug" not in proxy.log()[start:]


def test_status_process_has_it(operator):
    """It answers, though there is little for it."""
    proxy = operator.start("", "-o", "status.listen=127.0.0.1:0")
    for level in ("debug", "info"):
        operator.changes('log = { level = "%s"; };\n' % level)
    port = re.search(r"listening url=http://127\.0\.0\.1:(\d+)",
                     proxy.log())[1]
    with urllib.request.urlopen("http://127.0.0.1:%s/healthz" % port,
                                timeout=10 * SLOW) as answer:
        assert answer.status == 200


def test_push_lists(operator, dovecot):
    """Who is there keeps what was shown; who comes sees the new list."""
    proxy = operator.start()
    user, phone = dovecot.user(), Phone()
    old = proxy.session(user)
    operator.changes('push = { deny = ( "%s" ); };\n' % user)
    assert "XAPPLEPUSHSERVICE" in capabilities(
        old.command("CAPABILITY")[0])
    denied = proxy.session(user)
    assert "XAPPLEPUSHSERVICE" not in capabilities(
        denied.command("CAPABILITY")[0])
    operator.changes('push = { allow = ( "%s" ); };\n' % user)
    register(proxy.session(user), phone)
    other = proxy.session(dovecot.user())
    assert "XAPPLEPUSHSERVICE" not in capabilities(
        other.command("CAPABILITY")[0])


def test_push_limits(operator, dovecot):
    proxy = operator.start()
    user = dovecot.user()
    client = proxy.session(user)
    client.ok("CREATE Work")
    assert echoed(register(client, Phone(), "(INBOX Work)")) == [
        "INBOX", "Work"]
    operator.changes("push = { mailboxes_per_device = 1; };\n")
    assert echoed(register(client, Phone(), "(INBOX Work)")) == ["INBOX"]
    operator.changes("push = { devices_per_user = 1; };\n")
    phone = Phone()
    register(client, phone)
    proxy.wait_log(r"device=%s" % phone.token[:8].lower())


def test_push_pauses(operator, dovecot, apple):
    """New mail within the window waits for its end, as long as that now is."""
    proxy = operator.start(
        "push = { merge_ms = 600000; merge_max_ms = 600000; };\n")
    user, phone = dovecot.user(), Phone()
    operator.changes("push = { merge_ms = 200; };\n")
    register(proxy.session(user), phone)
    proxy.wait_log("watching user=" + user)
    dovecot.deliver(user, message())
    ring(apple, phone)
    dovecot.deliver(user, message())
    ring(apple, phone, 2)


def test_apns(operator, dovecot, apple):
    """The next push has the new headers."""
    proxy = operator.start("push = { merge_ms = 1; merge_max_ms = 1; };\n")
    user, phone = dovecot.user(), Phone()
    register(proxy.session(user), phone)
    proxy.wait_log("watching user=" + user)
    dovecot.deliver(user, message())
    assert ring(apple, phone)[0]["headers"]["apns-priority"] == "5"
    operator.changes("push = { merge_ms = 1; merge_max_ms = 1; };\n"
                     "apns = { priority = 10; expiration_s = 60; };\n")
    dovecot.deliver(user, message())
    headers = ring(apple, phone, 2)[1]["headers"]
    assert headers["apns-priority"] == "10"
    assert abs(int(headers["apns-expiration"]) - time.time() - 60) < 30


def test_watchers(operator, dovecot, apple):
    """More may connect; those that come look at folders as often as is said."""
    proxy = operator.start("watch = { connections_max = 1; };\n")
    users = [dovecot.user() for _ in range(2)]
    phones = [Phone() for _ in users]
    for user, phone in zip(users, phones):
        client = proxy.session(user)
        client.ok("CREATE Work")
        register(client, phone, "(INBOX Work)")
    proxy.wait_log("watch.connections_max is reached")
    proxy.wait_log("watching user=")  # the first has asked before
    assert proxy.log().count("watching user=") == 1
    first = re.search("watching user=(.*)", proxy.log())[1]
    second = users[1 - users.index(first)]
    operator.changes("watch = { connections_max = 9; poll_s = 1; };\n")
    proxy.wait_log("watching user=" + second)
    with proxy.session(second) as client:
        client.append("Work", message())
    assert news(ring(apple, phones[users.index(second)])[0]) is not None


def test_drain(operator, dovecot):
    proxy = operator.start("process = { drain_s = 600; };\n")
    client = proxy.session(dovecot.user())
    operator.changes("process = { drain_s = 1; };\n")
    began = time.monotonic()
    os.kill(proxy.pid, signal.SIGTERM)
    assert b"BYE" in client.response()
    assert proxy.process.popen.wait(60 * SLOW) == 0
    assert 0.9 < time.monotonic() - began


def test_certificates(operator, dovecot, tls, tmp_path):
    """Others than before, of other versions; sessions go on."""
    proxy = operator.start()
    old = proxy.session(dovecot.user())
    cert, key = self_signed(tmp_path, "more", "more.example")
    assert shown(proxy.port, "more.example") == ["localhost"]
    operator.changes('tls = { min_version = "1.3"; certificates = ( {\n'
                     'certificate = "%s"; key = "%s"; } ); };\n' % (cert, key))
    assert shown(proxy.port, "more.example") == ["more.example"]
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(proxy.port, context_for(tls.ca, ssl.TLSVersion.TLSv1_2))
    old.ok("NOOP")


def test_replacements_have_it(operator, dovecot, tls, tmp_path):
    """Those that are forked afterwards, too: they need no file for it."""
    operator.bell.allow(DIED)
    proxy = operator.start("", "--workers", "2")
    cert, key = self_signed(tmp_path, "more", "more.example")
    operator.changes(certificates(cert, key) +
                     "push = { mailboxes_per_device = 1; };\n")
    cert.unlink()
    key.unlink()
    for _ in range(2):
        kill_one(proxy, "worker")
        kill_one(proxy, "push")
    for _ in range(8):
        assert shown(proxy.port, "more.example") == ["more.example"]
    with proxy.session(dovecot.user()) as client:
        client.ok("CREATE Work")
        assert echoed(register(client, Phone(), "(INBOX Work)")) == ["INBOX"]


# what does not

BAD = {
    "syntax": ("push = {\n", r"imapbell\.conf:\d+: syntax error"),
    "unknown_key": ("push = { merge = 1; };\n",
                    r"imapbell\.conf:1: unknown key push\.merge"),
    "wrong_type": ("\npush = { merge_ms = true; };\n",
                   r"imapbell\.conf:2: push\.merge_ms must be"),
    "out_of_range": ("limits = {\nsessions = 0; };\n",
                     r"imapbell\.conf:2: limits\.sessions = 0 is out of"),
    "pair": ("push = { merge_max_ms = 1; };\n",
             r"imapbell\.conf:1: push\.merge_max_ms = 1 is below"),
    "no_file": ('tls = { certificates = ( { certificate = "/nowhere"; } ); };'
                "\n", r"tls\.certificates, entry 1: certificate: /nowhere: No "
                r"such file"),
    "no_certificate": ('tls = { certificates = ( { certificate = "/dev/null"; '
                       "} ); };\n", r"/dev/null: no certificate in the PEM"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_changes_nothing(operator, dovecot, what):
    operator.bell.allow("SIGHUP: nothing is changed: ")
    proxy = operator.start()
    old = proxy.session(dovecot.user())
    text, says = BAD[what]
    log = operator.hang_up(text + 'log = { level = "debug"; };\n')
    assert re.search("error conf SIGHUP: nothing is changed: .*" + says,
                     log), log
    old.ok("NOOP")
    proxy.session(dovecot.user()).ok("NOOP")
    assert " debug " not in proxy.log()
    operator.changes('log = { level = "debug"; };\n')  # and it goes on
    proxy.session(dovecot.user())
    assert " debug " in proxy.log()


def test_file_that_is_gone_changes_nothing(operator):
    operator.bell.allow("SIGHUP: nothing is changed: ")
    operator.start("push = { merge_ms = 300; };\n")
    operator.file.unlink()
    assert re.search(r"nothing is changed: \S+imapbell\.conf: No such file",
                     operator.hang_up())


def test_other_keys_are_named(operator, dovecot):
    """They stay as they run, the rest changes."""
    proxy = operator.start()
    log = operator.hang_up('watch = { master_user = "root"; poll_s = 30; };\n'
                           "users = { lowercase = true; };\n")
    assert "info conf SIGHUP: changed: watch.poll_s\n" in log
    assert ("warn conf SIGHUP: changed too, but these take a restart: "
            "users.lowercase, watch.master_user\n") in log
    proxy.session(dovecot.user()).ok("NOOP")


# many of them

@pytest.mark.parametrize("workers", WORKERS)
def test_signals_in_a_row(operator, tmp_path, workers):
    """However they fall together, all processes end with the last."""
    proxy = operator.start("", "--workers", workers)
    paths = [self_signed(tmp_path, "n%d" % n, "more.example",
                         "n%d.example" % n) for n in range(4)]
    for n in range(50):
        operator.write(certificates(*paths[n % 3]))
        os.kill(proxy.pid, signal.SIGHUP)
    operator.write(certificates(*paths[3]))
    os.kill(proxy.pid, signal.SIGHUP)
    said = []

    def has_the_last():
        with contextlib.suppress(TimeoutError):
            return shown(proxy.port, "more.example", 3)[1] == "n3.example"

    def is_ready():
        operator.notified.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(told(operator.notified))
        return said and said[-1].get("READY") == "1"

    # Who says so much waits until it is read: not for long, then, for clients.
    wait_until(lambda: is_ready() and has_the_last() and is_ready(),
               "the end of the last", 120)
    assert "RELOADING" in said[0]
    for _ in range(4 * max(1, int(workers))):
        assert shown(proxy.port, "more.example")[1] == "n3.example"


@pytest.mark.parametrize("role", ["worker", "push"])
def test_process_that_dies_in_a_reload(operator, dovecot, tmp_path, role):
    """The reload ends, and what takes its place has all of it."""
    operator.bell.allow(DIED)
    proxy = operator.start("", "--workers", "2")
    for n in range(3, 0, -1):
        paths = self_signed(tmp_path, "n%d" % n, "more.example",
                            "n%d.example" % n)
        pid = proxy.children(role)[0]
        os.kill(pid, signal.SIGSTOP)
        operator.write(
            certificates(*paths) +
            "push = { mailboxes_per_device = %d; };\n" % n)
        os.kill(proxy.pid, signal.SIGHUP)
        assert told(operator.notified)["RELOADING"] == "1"
        os.kill(pid, signal.SIGKILL)
        assert told(operator.notified)["READY"] == "1"
        wait_until(lambda: pid not in proxy.children(role)
                   and len(proxy.children(role)) ==
                   (2 if role == "worker" else 1), "another " + role, 60)
    for _ in range(8):
        assert shown(proxy.port, "more.example")[1] == "n1.example"
    with proxy.session(dovecot.user()) as client:
        client.ok("CREATE Work")
        wait_until(lambda: echoed(register(client, Phone(), "(INBOX Work)"))
                   == ["INBOX"], "the new limit", 60)


@pytest.mark.timeout(600 * SLOW)
@pytest.mark.parametrize("workers", WORKERS)
def test_reloads_under_load(operator, dovecot, tls, tmp_path, workers):
    """No connection is refused or reset, no session ends, and sessions of TLS
    are resumed at each try."""
    proxy = operator.start("", "--workers", workers, "-o",
                           "limits.logins_pending_per_address=1000")
    user = dovecot.user()
    stays = [proxy.session(user) for _ in range(20)]
    context = context_for(tls.ca)
    with handshake(proxy.port, context) as first:
        session = first.session
    over, failed, counts = threading.Event(), [], [0, 0, 0]

    def come():
        with Imap(proxy.port, tls.ca) as client:
            client.login(user)
            client.ok("NOOP")
            client.logout()
        counts[0] += 1

    def resume():
        with handshake(proxy.port, context, session=session) as client:
            assert client.session_reused
        counts[1] += 1

    def work():
        for client in stays:
            client.ok("NOOP")
        counts[2] += 1

    def again(what):
        try:
            while not over.is_set():
                what()
        except Exception as error:  # pylint: disable=broad-except
            failed.append("%s: %r" % (what.__name__, error))

    threads = [threading.Thread(target=again, args=(what,))
               for what in (come, come, resume, resume, work)]
    for thread in threads:
        thread.start()
    cert, key = self_signed(tmp_path, "more", "more.example")
    try:
        for n in range(40):
            self_signed(tmp_path, "more", "more.example", "n%d.example" % n)
            operator.changes(
                certificates(cert, key) +
                "limits = { login_failures = %d; };\n"
                "timeouts = { idle_s = %d; };\nwatch = { poll_s = %d; };\n"
                % (n + 6, n + 1000, n + 61))
        wait_until(lambda: failed or min(counts) > 5,
                   "each to be done some times", 120)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    assert all(map(is_open, stays))
    assert shown(proxy.port, "more.example") == ["more.example",
                                                 "n39.example"]
