# SPDX-License-Identifier: ISC
"""
SIGUSR2: the program is started again on the same sockets, and nobody notices
but the operator.
"""
import contextlib
import os
import re
import signal
import socket
import ssl
import threading
from contextlib import closing
from pathlib import Path

import pytest

import imapbell
from lmtp import message
from notify import told
from phone import Phone
from process import SLOW, children, wait_until
from test_processes import DIED, is_open, titles
from test_ring import register, ring
from test_tls import handshake

pytestmark = pytest.mark.sandbox

SERVES = r"upgrade: pid=(\d+) serves, this one ends with its last session"


class Mains:
    """The mains of an imapbell, one after the other."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.pids = [proxy.pid]

    def upgrade(self, expect=SERVES, seconds=60.0):
        """SIGUSR2 to the last one; what the log says of it then."""
        start = len(self.proxy.log())
        workers = sum(title.startswith("imapbell: worker")
                      for title in titles(self.pids[-1]))
        os.kill(self.pids[-1], signal.SIGUSR2)
        match = self.wait_log(expect, seconds, start)
        if expect == SERVES:
            self.pids.append(int(match[1]))
            wait_until(  # until then the old workers accept, too
                lambda: self.proxy.log().count(" draining sessions=", start)
                >= workers, "the end of accepting", seconds)
        return match

    def wait_log(self, pattern, seconds=60.0, start=0):
        """As the proxy's; but who was started first may have ended."""
        return wait_until(
            lambda: re.search(pattern, self.proxy.log()[start:], re.M),
            pattern, seconds)

    def lives(self, pid):
        with contextlib.suppress(OSError):
            return b"imapbell" in Path("/proc/%d/cmdline" % pid).read_bytes()
        return False

    def wait_end(self, pid):
        """What is left of a main that nobody waits for is empty."""
        wait_until(lambda: not self.lives(pid), "the end of %d" % pid, 60)

    def stop(self):
        """SIGTERM to the last; all end."""
        for client in self.proxy.clients:
            client.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[-1], signal.SIGTERM)
        for pid in reversed(self.pids[1:]):
            self.wait_end(pid)


@pytest.fixture
def mains():
    made = []

    def make(proxy):
        made.append(Mains(proxy))
        return made[-1]

    yield make
    for one in made:
        one.stop()


workers = pytest.mark.parametrize("workers", ["1", "4"])


class Coming:
    """Clients who come, do |what| and go, until it is over."""

    def __init__(self, count, what):
        self.failed = []
        self.done = 0
        self.over = threading.Event()
        self.what = what
        self.threads = [threading.Thread(target=self.come, args=(i,))
                        for i in range(count)]

    def come(self, number):
        try:
            while not self.over.is_set():
                self.what(number)
                self.done += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failed.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.done > 8 or self.failed, "clients", 60)
        return self

    def wait(self, more=8):
        """Until some more have come and gone."""
        goal = self.done + more
        wait_until(lambda: self.done >= goal or self.failed, "more clients",
                   60)

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed


@workers
def test_nobody_notices(bell, dovecot, mains, workers):
    """No connection is refused or reset, no session ends."""
    proxy = bell(dovecot.port, "--workers", workers, "-o",
                 "timeouts.login_s=600")
    old = mains(proxy)
    user = dovecot.user()
    stays = [proxy.session(user) for _ in range(8)]
    waits = [proxy.connect() for _ in range(4)]  # not logged in yet

    def visit(_):
        with closing(proxy.connect(seconds=60)) as client:
            client.login(user)
            client.ok("NOOP")
            client.ok("LOGOUT")

    with Coming(4, visit) as coming:
        for _ in range(2):
            old.upgrade()
            coming.wait()
    assert all(map(is_open, stays))
    for client in waits:
        client.login(user)
        client.ok("NOOP")
    assert all(map(old.lives, old.pids))
    for client in stays + waits:
        client.ok("LOGOUT")
    for pid in old.pids[:2]:
        old.wait_end(pid)
    proxy.session(user).ok("NOOP")


@workers
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_tls_sessions_go_on(bell, dovecot, mains, tls, workers, version):
    proxy = bell(dovecot.port, "--workers", workers)
    old = mains(proxy)
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = context.maximum_version = version
    with handshake(proxy.port, context) as first:
        session = first.session
    for _ in range(2):
        old.upgrade()
        old.wait_end(old.pids[-2])
        for _ in range(8):
            with handshake(proxy.port, context, session=session) as one:
                assert one.session_reused


@workers
def test_phones_ring(bell, dovecot, apple, mains, workers):
    """Mail that comes meanwhile, and phones that register through the old
    processes: what they say is kept by the new push process."""
    proxy = bell(dovecot.port, "--workers", workers, "-o",
                 "watch.connect_rate=200")
    old = mains(proxy)
    waiting = {dovecot.user(): Phone() for _ in range(8)}
    for user, phone in waiting.items():
        with closing(proxy.session(user)) as client:
            register(client, phone)
        old.wait_log("watching user=%s" % user)
    users = [dovecot.user() for _ in range(6)]
    stays = [proxy.session(user) for user in users]
    mail = threading.Thread(target=lambda: [
        dovecot.deliver(user, message()) for user in waiting])
    mail.start()
    old.upgrade()
    mail.join()
    phones = [Phone() for _ in users]
    for client, phone in zip(stays, phones):
        register(client, phone)
    for phone in waiting.values():
        ring(apple, phone)
    for user, phone in zip(users, phones):
        dovecot.deliver(user, message())
        ring(apple, phone)
    old.upgrade()  # three in a row, and the first still has sessions
    late = Phone()
    register(stays[0], late)
    dovecot.deliver(users[0], message())
    ring(apple, late)


def test_old_sessions_reach_a_push_process_that_was_replaced(
        bell, dovecot, apple, mains):
    bell.allow(DIED)
    proxy = bell(dovecot.port, "--workers", "2")
    old = mains(proxy)
    users = [dovecot.user() for _ in range(4)]
    stays = [proxy.session(user) for user in users]
    old.upgrade()
    (push,) = role(old.pids[-1], "push")
    os.kill(push, signal.SIGKILL)
    wait_until(lambda: [pid for pid in role(old.pids[-1], "push")
                        if pid != push], "another push process", 60)
    phones = [Phone() for _ in users]
    for client, user, phone in zip(stays, users, phones):
        register(client, phone)
        dovecot.deliver(user, message())
    for phone in phones:
        ring(apple, phone)


def role(pid, name):
    """Children of the main |pid| of that name."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError):
            title = Path("/proc/%d/cmdline" % child).read_bytes()
            if title.startswith(b"imapbell: " + name.encode()):
                found.append(child)
    return found


def test_workers_may_be_more_or_fewer(bell, dovecot, mains):
    """As the configuration says that the new one reads."""
    path = Path(bell.folder) / "workers.conf"
    path.write_text("process: { workers = 2; };\n")
    proxy = bell(dovecot.port, "-c", str(path))
    at = proxy.args.index("--workers")
    proxy.stop()
    del proxy.args[at:at + 2]
    proxy.start()
    old = mains(proxy)
    user = dovecot.user()
    for count in (4, 1, 3):
        path.write_text("process: { workers = %d; };\n" % count)
        old.upgrade()
        old.wait_end(old.pids[-2])
        assert len(role(old.pids[-1], "worker")) == count
        for _ in range(24):
            with closing(proxy.connect()) as client:
                client.login(user)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program that can be replaced by another."""
    path = tmp_path / "imapbell"
    path.symlink_to(imapbell.BINARY)
    monkeypatch.setattr(imapbell, "COMMAND", (str(path),))
    return path


def replace(program, text):
    program.unlink()
    program.write_text(text)
    program.chmod(0o755 if text else 0o644)


@pytest.mark.parametrize("text, why", [
    (None, r"upgrade: \S+: No such file or directory: this one goes on"),
    ("", r"upgrade: \S+: Permission denied: this one goes on"),
    ("#!/bin/sh\nexit 3\n", r"upgrade: pid=\d+ ended before it served \(.*\): "
     "this one goes on"),
    ('#!/bin/sh\nexec %s -o nonsense=1 "$@"\n' % imapbell.BINARY,
     r"nonsense[^$]*upgrade: pid=\d+ ended before it served"),
    ('#!/bin/sh\nexec %s "$@" --workers 0\n' % imapbell.BINARY,
     r"an upgrade needs process.workers[^$]*"
     r"upgrade: pid=\d+ ended before it served"),
])
def test_new_one_that_does_not_start_changes_nothing(
        bell, dovecot, apple, mains, program, text, why):
    bell.allow("error role upgrade: |error role not started")
    proxy = bell(dovecot.port, "--workers", "2")
    old = mains(proxy)
    user, phone = dovecot.user(), Phone()
    client = proxy.session(user)
    replace(program, text or "")
    if text is None:
        program.unlink()
    old.upgrade(why)
    register(client, phone)
    proxy.session(user).ok("NOOP")
    old.wait_log("watching user=%s" % user)
    dovecot.deliver(user, message())
    ring(apple, phone)
    program.unlink(missing_ok=True)
    program.symlink_to(imapbell.BINARY)
    old.upgrade()
    old.proxy.session(user).ok("NOOP")


def test_one_process_says_that_it_needs_workers(bell, dovecot):
    proxy = bell(dovecot.port, "--workers", "0")
    os.kill(proxy.pid, signal.SIGUSR2)
    proxy.wait_log("warn role SIGUSR2: an upgrade needs process.workers")
    proxy.session(dovecot.user()).ok("NOOP")


def test_another_signal_while_it_comes(bell, dovecot, mains, program):
    """It is said, and harms nothing."""
    bell.allow("error role upgrade: ")
    proxy = bell(dovecot.port, "--workers", "2")
    old = mains(proxy)
    client = proxy.session(dovecot.user())
    replace(program, "#!/bin/sh\nsleep 1000\n")
    old.upgrade("SIGUSR2: upgrade: .* is started")
    old.upgrade("SIGUSR2: no upgrade: there is one already")
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGHUP)
    old.wait_log("certificates are read again", start=start)
    client.ok("NOOP")
    os.kill(proxy.pid, signal.SIGTERM)
    proxy.wait_log("upgrade: it is ended as well", 60, start)
    client.ok("NOOP")  # it has its time
    client.ok("LOGOUT")
    assert proxy.process.popen.wait(60 * SLOW) == 0


@pytest.mark.parametrize("which", ["old", "new"])
def test_end_is_the_end_of_all(bell, dovecot, mains, which):
    """SIGTERM to the new one ends both, to the old one that alone; each
    lets its sessions end, and process.drain_s is the limit."""
    proxy = bell(dovecot.port, "--workers", "2", "-o", "process.drain_s=2")
    old = mains(proxy)
    user = dovecot.user()
    before = proxy.session(user)
    old.upgrade()
    after = proxy.session(user)
    os.kill(old.pids[0 if which == "old" else 1], signal.SIGTERM)
    wait_until(lambda: not is_open(before), "the end of its session", 60)
    old.wait_end(old.pids[0])
    if which == "old":
        after.ok("NOOP")
        proxy.session(user).ok("NOOP")
    else:
        old.wait_end(old.pids[1])
        assert not is_open(after)


def test_main_that_dies_leaves_the_new_one(bell, dovecot, mains):
    proxy = bell(dovecot.port, "--workers", "2")
    old = mains(proxy)
    user = dovecot.user()
    before = proxy.session(user)
    old.upgrade()
    after = proxy.session(user)
    os.kill(proxy.pid, signal.SIGKILL)
    wait_until(lambda: not is_open(before), "the end of its sessions", 60)
    after.ok("NOOP")
    proxy.session(user).ok("NOOP")


@pytest.mark.parametrize("watchdog_s", [12])
def test_service_manager_is_told(bell, dovecot, mains, manager):
    proxy = bell(dovecot.port, "--workers", "2")
    assert told(manager)["READY"] == "1"
    old = mains(proxy)
    client = proxy.session(dovecot.user())
    old.upgrade()
    assert told(manager) == {"MAINPID": str(old.pids[1])}
    assert told(manager)["READY"] == "1"
    with open("/proc/%d/stat" % old.pids[1], encoding="ascii") as stat:
        assert int(stat.read().rpartition(")")[2].split()[1]) != proxy.pid
    client.ok("LOGOUT")
    old.wait_end(old.pids[0])
    os.kill(old.pids[1], signal.SIGTERM)
    assert told(manager)["STOPPING"] == "1"


def test_second_on_the_same_state_waits(bell, dovecot, apple):
    """And has the database as soon as the first is gone."""
    first = bell(dovecot.port)
    user, phone = dovecot.user(), Phone()
    with closing(first.session(user)) as client:
        register(client, phone)
    second = bell(dovecot.port)
    second.stop()
    second.args[second.args.index("--state") + 1] = first.state
    second.start()
    second.wait_log(r"warn store waits for pid \d+, which has the database")
    second.session(user).ok("NOOP")
    start = len(second.log())
    first.stop()
    second.wait_log("has the database now", 60, start)
    second.wait_log("watching user=%s" % user, 60, start)
    dovecot.deliver(user, message())
    ring(apple, phone)


@pytest.fixture
def elder():
    """A main of another program: its end of the channel, and the other."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listening:
        ours.settimeout(60 * SLOW)
        yield ours, theirs, listening


READY = 6  # in every version of message.h


def test_elder_of_another_version_is_replaced(bell, dovecot, elder):
    """It is told READY in its own version, and nothing else."""
    ours, theirs, listening = elder
    ours.send(b"\1\2nobody knows what this means")
    proxy = bell(dovecot.port, "--workers", "1", handed=[
        (listening, "imaps"), (theirs, "imapbell-upgrade-2")])
    theirs.close()
    proxy.wait_log("upgrade: who started this one speaks another language")
    assert ours.recv(100) == bytes([1, 2, READY, 0, 0, 0, 0])
    assert ours.recv(100) == b""
    proxy.session(dovecot.user()).ok("NOOP")


def test_without_its_elder_it_does_not_begin(bell, dovecot, elder):
    ours, theirs, listening = elder
    bell.allow("error role upgrade: who started this one is gone")
    proxy = bell(dovecot.port, "--workers", "1")
    proxy.stop()
    proxy.handed = [(listening, "imaps"), (theirs, "imapbell-upgrade-1")]
    ours.close()
    with pytest.raises(AssertionError, match="who started this one is gone"):
        proxy.start()


def test_names_of_sockets_are_no_secret(bell, dovecot, mains):
    """Neither its keys nor anything of LISTEN_FDS is in an environment."""
    proxy = bell(dovecot.port, "--workers", "1")
    old = mains(proxy)
    old.upgrade()
    text = Path("/proc/%d/environ" % old.pids[1]).read_bytes()
    assert not re.search(rb"LISTEN_PID=[2-9]", text)


def test_end_that_reaches_both_gives_sessions_their_time(
        bell, dovecot, mains):
    """A service manager signals all, so that the old one is told twice."""
    proxy = bell(dovecot.port, "--workers", "2", "-o", "process.drain_s=600")
    old = mains(proxy)
    client = proxy.session(dovecot.user())
    old.upgrade()
    os.kill(old.pids[1], signal.SIGTERM)
    wait_until(lambda: not listens(old.pids[1]), "its end to begin", 60)
    start = len(proxy.log())
    os.kill(old.pids[0], signal.SIGTERM)
    proxy.wait_log("SIGTERM", 60, start)
    for _ in range(3):
        client.ok("NOOP")
    client.ok("LOGOUT")
    assert proxy.process.popen.wait(60 * SLOW) == 0


def listens(pid):
    """The main |pid| has listening sockets."""
    rows = map(str.split, Path("/proc/%d/net/tcp" % pid).read_text()
               .splitlines()[1:])
    sockets = {"socket:[%s]" % row[9] for row in rows if row[3] == "0A"}
    for each in Path("/proc/%d/fd" % pid).iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed just now
            if os.readlink(each) in sockets:
                return True
    return False


def test_elder_that_hangs_keeps_nobody_from_the_end(bell, dovecot, mains):
    bell.allow("error role upgrade: who started this one does not end")
    proxy = bell(dovecot.port, "--workers", "1", "-o", "process.drain_s=1")
    old = mains(proxy)
    proxy.session(dovecot.user())
    old.upgrade()
    os.kill(old.pids[0], signal.SIGSTOP)
    try:
        os.kill(old.pids[1], signal.SIGTERM)
        old.wait_end(old.pids[1])
    finally:
        os.kill(old.pids[0], signal.SIGCONT)


def test_reload_reaches_the_new_one_too(bell, dovecot, mains, program):
    """What changes while it comes may have been read before."""
    path = Path(bell.folder) / "reload.conf"
    path.write_text('log: { level = "info"; };\n')
    proxy = bell(dovecot.port, "--workers", "1", "-c", str(path))
    old = mains(proxy)
    go = Path(bell.folder) / "go"
    replace(program, '#!/bin/sh\nwhile ! [ -e %s ]; do sleep 0.1; done\n'
            'exec %s "$@"\n' % (go, imapbell.BINARY))
    old.upgrade("SIGUSR2: upgrade: .* is started")
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGHUP)
    old.wait_log("certificates are read again", start=start)
    start = len(proxy.log())
    go.touch()
    old.pids.append(int(old.wait_log(SERVES, start=start)[1]))
    old.wait_log("SIGHUP: reading", start=start)
    old.wait_log("certificates are read again", start=start)
    proxy.session(dovecot.user()).ok("NOOP")


def test_process_1_is_not_replaced(bell, dovecot, program):
    """With it all others of a container end."""
    replace(program, '#!/bin/sh\nexec unshare --pid --fork %s "$@"\n'
            % imapbell.BINARY)
    proxy = bell(dovecot.port, "--workers", "1")
    (first,) = children(proxy.pid)
    os.kill(first, signal.SIGUSR2)
    proxy.wait_log("SIGUSR2: no upgrade: this is process 1 of a container")
    with closing(proxy.session(dovecot.user())) as client:
        client.ok("NOOP")
    os.kill(first, signal.SIGINT)
    assert proxy.process.popen.wait(60 * SLOW) == 0
