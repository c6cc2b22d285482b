# SPDX-License-Identifier: ISC
"""
Roles with processes of their own: what dies takes nothing with it but itself,
and clients cannot tell which worker they have.
"""
import contextlib
import ctypes
import os
import signal
import socket
import ssl
import struct
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from imap import Closed
from lmtp import message
from notify import told
from phone import Phone
from process import SLOW, children, free_port, listens, wait_until
from relay import Relay
from test_limits import serve
from test_ring import register, ring
from test_tls import VERSIONS, context_for, counted, handshake, reload
from test_verdicts import metric

pytestmark = pytest.mark.sandbox

PIDFD_GETFD = 438  # of Linux, on all that it runs on
DIED = r" error role (worker|push) \d+ pid=\d+ died: signal 9"


def titles(pid):
    """What the processes of imapbell are called, main first."""
    names = []
    for each in (pid, *children(pid)):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError), \
                open("/proc/%d/cmdline" % each, "rb") as cmdline:
            names.append(cmdline.read().rstrip(b"\0").decode())
    return names


def began(pid):
    """When a process was forked, in seconds since the machine was started."""
    stat = Path("/proc/%d/stat" % pid).read_text()
    return int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def wait_another(proxy, role, pid, count=1):
    """Waits until there are |count| of them again, |pid| not among them."""
    wait_until(lambda: pid not in proxy.children(role)
               and len(proxy.children(role)) == count, "another " + role, 60)


def kill_one(proxy, role):
    """SIGKILL; the seconds until another was forked."""
    before = proxy.children(role)
    at = time.clock_gettime(time.CLOCK_BOOTTIME)
    os.kill(before[0], signal.SIGKILL)
    wait_another(proxy, role, before[0], len(before))
    (fresh,) = set(proxy.children(role)) - set(before)
    return began(fresh) - at


def is_open(client):
    """Not one that hangs: that is an error."""
    try:
        client.ok("NOOP")
        return True
    except TimeoutError:
        raise
    except (Closed, OSError, ssl.SSLError):
        return False


@pytest.mark.skipif("IMAPBELL_TEST_VALGRIND" in os.environ,
                    reason="the title is valgrind's")
def test_each_has_its_name(bell, dovecot):
    proxy = bell(dovecot.port, "--workers", "3")
    assert titles(proxy.pid) == [
        "imapbell: main", "imapbell: push", "imapbell: worker 1",
        "imapbell: worker 2", "imapbell: worker 3"]


def test_one_per_core_is_the_default(bell, dovecot):
    proxy = bell(dovecot.port)
    proxy.stop()
    at = proxy.args.index("--workers")
    del proxy.args[at:at + 2]
    proxy.start()
    assert len(proxy.children("worker")) == len(os.sched_getaffinity(0))


@pytest.mark.timeout(300 * SLOW)
@pytest.mark.parametrize("sessions", [
    40, pytest.param(1000, marks=pytest.mark.long)])
def test_worker_that_dies_takes_only_its_own(bell, dovecot, sessions):
    """Another one is there within a second, unless the machine is busy: of one
    of three."""
    bell.allow(DIED)
    with Relay(0, serve) as many:
        # Dovecot has no room for a thousand, of which each is a process.
        proxy = bell((dovecot if sessions < 1000 else many).port,
                     "--workers", "2")
        user = dovecot.user()
        clients = [proxy.session(user) for _ in range(sessions)]
        seconds = kill_one(proxy, "worker")
        lost = [client for client in clients if not is_open(client)]
        assert 0 < len(lost) < len(clients)
        for _ in range(40):  # some are the new one's
            proxy.session(user).ok("NOOP")
        assert sum(map(is_open, clients)) == len(clients) - len(lost)
        assert metric(
            proxy, r'imapbell_process_restarts_total\{role="worker"\}') == 1
        assert seconds < 1 or any(kill_one(proxy, "worker") < 1
                                  for _ in range(2))


def test_a_worker_does_not_stay_without_names(bell, dovecot):
    """It could dial nobody: another comes, which can."""
    bell.allow(r" error role (the process for names is gone|"
               r"a worker needs a process for names|"
               r"worker 1 pid=\d+ ended: status 70)")
    proxy = bell(dovecot.port, "--workers", "1", "-o",
                 "backend.url=imap://localhost:%d" % dovecot.port)
    worker = proxy.children("worker")[0]
    if not children(worker):
        pytest.skip("a sandbox is not to be had: workers look up themselves")
    os.kill(children(worker)[0], signal.SIGKILL)
    wait_another(proxy, "worker", worker)
    proxy.session(dovecot.user()).ok("NOOP")


def queued(port):
    """The connections to |port| that nobody has accepted."""
    rows = map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(int(row[4].rpartition(":")[2], 16) for row in rows
               if row[3] == "0A" and row[1].endswith(":%04X" % port))


@pytest.mark.parametrize("workers", [1, 4])
def test_who_waits_for_a_worker_waits_for_the_next(bell, dovecot, workers):
    """No connection that has not been accepted is reset."""
    bell.allow(DIED)
    proxy = bell(dovecot.port, "--workers", str(workers), "-o",
                 "limits.logins_pending_per_address=100")
    pid = proxy.children("worker")[0]
    os.kill(pid, signal.SIGSTOP)
    served, refused = [], []

    def come():
        try:
            with closing(proxy.connect(seconds=60)) as client:
                client.ok("NOOP")
            served.append(client)
        except Exception as error:  # pylint: disable=broad-except
            refused.append(error)

    threads = [threading.Thread(target=come) for _ in range(20 * workers)]
    for thread in threads:
        thread.start()
    try:
        # Those whom the others will serve may be in the queue, too.
        wait_until(lambda: len(served) + queued(proxy.port) == len(threads),
                   "each to be served, or to wait", 20)
        assert len(served) < len(threads)
    finally:
        os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert not refused and len(served) == len(threads)


def copies(pid, is_meant):
    """Copies of the sockets of |pid| whose inode |is_meant|."""
    found, process = [], os.pidfd_open(pid)
    for fd in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
        link = os.readlink("/proc/%d/fd/%d" % (pid, fd))
        if not link.startswith("socket:[") or not is_meant(link[8:-1]):
            continue
        copy = ctypes.CDLL(None, use_errno=True).syscall(
            PIDFD_GETFD, process, fd, 0)
        assert copy >= 0, os.strerror(ctypes.get_errno())
        found.append(socket.socket(fileno=copy))
    os.close(process)
    return found


def rows_of(pid, kind):
    return list(map(str.split, Path("/proc/%d/net/%s" % (pid, kind))
                    .read_text().splitlines()[1:]))


def channels(proxy, pid):
    """Copies of the sockets on which |pid| speaks with other processes that
    main made."""
    pairs = {row[6] for row in rows_of(pid, "unix") if row[4] == "0005"}
    found = []
    for sock in copies(pid, pairs.__contains__):
        maker = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("3i", maker)[0] == proxy.pid:
            found.append(sock)
        else:
            sock.close()
    return found


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for others' sockets")
def test_worker_that_spoils_its_sockets_is_replaced(bell, dovecot):
    """One that was taken over: they are main's, too, and the next one's."""
    bell.allow(DIED)
    proxy = bell(dovecot.port, "--workers", "1", "-o",
                 'listen=("imaps://127.0.0.1:%d")' % free_port())
    user, (pid,) = dovecot.user(), proxy.children("worker")
    listening = {row[9] for row in rows_of(pid, "tcp") if row[3] == "0A"}
    for sock in copies(pid, listening.__contains__):
        sock.setblocking(True)
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
    with pytest.raises(OSError):
        proxy.connect()
    os.kill(pid, signal.SIGKILL)
    wait_another(proxy, "worker", pid)
    wait_until(lambda: listens(proxy.port), "it to listen")
    for _ in range(2):
        with closing(proxy.session(user)) as client:
            client.ok("NOOP")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for others' sockets")
@pytest.mark.parametrize("whom", [0, 1])
@pytest.mark.parametrize("what", [
    b"\x02", b"\x01\x01\xff\0\0\0\0", b"\x01\x01\x01\0\0\0\0",
    b"\x01" + b"x" * 40000], ids=["kind", "type", "not_its_own", "too_long"])
def test_worker_that_speaks_nonsense_is_replaced(bell, dovecot, what, whom):
    """One that was taken over, to main and to the push process: these go on,
    and so does the other worker."""
    bell.allow(DIED + "|says what ")
    proxy = bell(dovecot.port, "--workers", "2")
    user, phone = dovecot.user(), Phone()
    clients = [proxy.session(user) for _ in range(20)]
    push, (pid, other) = proxy.children("push"), proxy.children("worker")
    ends = channels(proxy, pid)
    assert len(ends) == 2
    ends[whom].send(what)
    for end in ends:
        end.close()
    wait_another(proxy, "worker", pid, 2)
    assert proxy.children("push") == push
    assert other in proxy.children("worker")
    assert 0 < sum(map(is_open, clients)) < len(clients)
    with closing(proxy.session(user)) as client:
        register(client, phone)


def test_push_process_that_dies_is_not_noticed(bell, dovecot, apple):
    """While phones register and mail comes: all is there afterwards."""
    bell.allow(DIED)
    proxy = bell(dovecot.port, "--workers", "2", "-o",
                 "watch.connect_rate=200")
    users = [dovecot.user() for _ in range(4)]
    phones = {user: [] for user in users}
    going = threading.Event()
    failed = []

    def come(user):
        try:
            while not going.is_set():
                phone = Phone()
                with closing(proxy.session(user)) as client:
                    assert b"XAPPLEPUSHSERVICE" in \
                        b"".join(client.command("CAPABILITY"))
                    register(client, phone)
                phones[user].append(phone)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)

    threads = [threading.Thread(target=come, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for _ in range(3):
        wait_until(lambda: all(phones.values()), "registrations")
        kill_one(proxy, "push")
        for user in users:
            dovecot.deliver(user, message())
        time.sleep(0.3)
    going.set()
    for thread in threads:
        thread.join()
    assert not failed
    for user in users:
        kept = phones[user][-20:]  # push.devices_per_user
        count = [len(phone.pushes(apple.requests)) for phone in kept]
        dovecot.deliver(user, message())
        for phone, before in zip(kept, count):
            ring(apple, phone, before + 1)
    assert metric(proxy, r'imapbell_process_restarts_total\{role="push"\}'
                  ) == 3


def test_push_process_that_hangs_costs_no_ok(bell, dovecot, apple):
    proxy = bell(dovecot.port, "--workers", "2")
    user, phone = dovecot.user(), Phone()
    pid = proxy.children("push")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        with closing(proxy.connect(seconds=60)) as client:
            client.login(user)
            register(client, phone)
    finally:
        os.kill(pid, signal.SIGCONT)
    proxy.wait_log("watching user=%s" % user)
    dovecot.deliver(user, message())
    ring(apple, phone)


def has_files(pid):
    """The process lives: one that only waits for its parent has none."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return os.listdir("/proc/%d/fd" % pid) != []
    return False


def test_main_that_dies_takes_all_with_it(bell, dovecot):
    proxy = bell(dovecot.port, "--workers", "2")
    client = proxy.session(dovecot.user())
    pids = proxy.pids
    os.kill(proxy.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(has_files, pids[1:])), "the end of all", 60)
    assert not is_open(client)
    proxy.start()  # nothing is in the way
    proxy.session(dovecot.user())


def worker_of(proxy, client, start):
    """Which worker has |client|; workers number their sessions in turns."""
    number = proxy.wait_log(r"proxy\[(\d+)\] session begin peer=127\.0\.0\.1:%d "
                            % client.getsockname()[1], start=start)[1]
    return int(number) % proxy.workers


def resumed_by_all(proxy, context, session):
    """Each worker resumes |session|, each time; how often it was."""
    seen, count = set(), 0
    while len(seen) < proxy.workers:
        count += 1
        assert count < 300, "only the workers %s were seen" % seen
        start = len(proxy.log())
        with handshake(proxy.port, context, session=session) as one:
            assert one.session_reused
            seen.add(worker_of(proxy, one, start))
    return count


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_session_is_resumed_by_any_worker(bell, dovecot, tls, version):
    """By those that took the place of others, too, and the other way round."""
    bell.allow(DIED)
    proxy = bell(dovecot.port, "--workers", "4")
    context = context_for(tls.ca, version)
    with handshake(proxy.port, context) as first:
        session = first.session
    full, resumed = 1, resumed_by_all(proxy, context, session)
    replaced = set()
    for _ in range(2):
        name = titles(proxy.children("worker")[0])[0]
        replaced.add(int(name.rpartition(" ")[2]) % proxy.workers)
        kill_one(proxy, "worker")
    resumed += resumed_by_all(proxy, context, session)
    by = None
    while by not in replaced:
        start = len(proxy.log())
        with handshake(proxy.port, context) as first:
            by, session = worker_of(proxy, first, start), first.session
        full += 1
    resumed += resumed_by_all(proxy, context, session)
    assert counted(proxy) == (full, resumed)


def test_each_end_is_asked_for_once(bell, dovecot):
    """A terminal and some supervisors send their signal to all."""
    proxy = bell(dovecot.port, "--workers", "2")
    client = proxy.session(dovecot.user())
    for pid in proxy.pids:
        with contextlib.suppress(ProcessLookupError):  # ended as main told it
            os.kill(pid, signal.SIGTERM)
    client.ok("NOOP")
    client.command("LOGOUT")
    assert proxy.process.popen.wait(60 * SLOW) == 0


@pytest.mark.parametrize("watchdog_s", [12])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_service_manager_is_told(bell, dovecot, manager, workers):
    proxy = bell(dovecot.port, "--workers", workers)
    assert told(manager) == {"READY": "1", "STATUS": "serving"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    reload(proxy)
    said = told(manager)
    assert said["RELOADING"] == "1"
    assert before < int(said["MONOTONIC_USEC"]) < \
        time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert told(manager)["READY"] == "1"
    for _ in range(2):
        wait_until(lambda: manager.recv(4096) == b"WATCHDOG=1\n", "life", 60)
    os.kill(proxy.pid, signal.SIGTERM)
    assert told(manager)["STOPPING"] == "1"


def test_address_in_use_is_refused(bell, dovecot):
    """Though sockets of workers share an address, those of others do not."""
    proxy = bell(dovecot.port, "--workers", "2")
    other = bell(dovecot.port, "--workers", "2")
    other.stop()
    at = other.args.index("-l")
    other.args[at + 1] = "imaps://127.0.0.1:%d" % proxy.port
    with pytest.raises(AssertionError, match="Address already in use"):
        other.start()
    assert other.process.popen.wait() == 71
    bell.bells.remove(other)
