# SPDX-License-Identifier: ISC
"""
Faults of the house itself: its disk, its resolver, its descriptors. Mail flows
on, registrations are answered, an error line says what is wrong, and all
recovers without a restart.
"""
import os
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lmtp import message
from phone import Phone
from process import PATIENCE, SLOW, processor_s, wait_until
from test_ring import register, ring


def _has_namespaces():
    return os.getuid() == 0 and shutil.which("unshare") and subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    not _has_namespaces(), reason="needs root for mounts of its own")


def without_valgrind(reason):
    return pytest.mark.skipif("IMAPBELL_TEST_VALGRIND" in os.environ,
                              reason="not under valgrind: " + reason)


def enter(proxy, script):
    """Runs shell commands where |proxy| is, with $state; their output."""
    done = subprocess.run(
        ["nsenter", "--target", str(proxy.pid), "--mount", "sh", "-ec",
         script], capture_output=True, text=True,
        env=dict(os.environ, state=str(proxy.state)))
    assert done.returncode == 0, (script, done.stderr)
    return done.stdout


def devices(proxy):
    """The device tokens that are on disk; none while it is begun anew."""
    return set(enter(proxy, "sqlite3 -readonly $state/imapbell.db "
                     "'SELECT device_token FROM registration' || true").split())


def kept(proxy, *phones):
    """Waits until the registrations of |phones| are on disk."""
    tokens = {phone.token.lower() for phone in phones}
    wait_until(lambda: tokens <= devices(proxy), "registrations on disk")


def errors(proxy, start=0):
    return [line for line in proxy.log()[start:].splitlines()
            if " error " in line]


def store_metrics(proxy):
    """Whether the store is up, and how often it was not."""
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGUSR1)
    count = proxy.wait_log(  # the last one that is not 0
        r" metric name=imapbell_store_errors_total value=(\d+)$", start=start)
    return (" metric name=imapbell_store_up value=1\n" in proxy.log()[start:],
            int(count[1]))


def device(proxy, dovecot):
    """
    A new phone of a new user, registered within 2 s, or one of three on a busy
    machine; the user leaves.
    """
    for _ in range(3):
        user, phone = dovecot.user(), Phone()
        client = proxy.session(user)
        begin = time.monotonic()
        register(client, phone)
        seconds = time.monotonic() - begin
        client.logout()
        if seconds < 2 * SLOW:
            return user, phone
    raise AssertionError("three phones waited for more than 2 s")


def rings(dovecot, apple, user, phone):
    """A mail for |user| rings |phone| once more."""
    count = len(phone.pushes(apple.requests))
    dovecot.deliver(user, message())
    ring(apple, phone, count + 1)


def mail_flows(client):
    client.append("INBOX", message())
    client.ok("SELECT INBOX")
    assert b"How do you do?" in client.fetch_body()


# The disk is full

FILL = "cat /dev/zero >$state/filler 2>/dev/null || true\n"
SMALL = "mount -t tmpfs -o size=512k imapbell {state}"


def test_store_full(bell, dovecot, apple):
    bell.allow(" error store ")
    proxy = bell(dovecot.port, inside=SMALL)
    user, phone = device(proxy, dovecot)
    session = proxy.session(user)
    enter(proxy, FILL)
    others = [device(proxy, dovecot) for _ in range(3)]
    for each in [(user, phone), *others]:
        rings(dovecot, apple, *each)
    mail_flows(session)
    assert len(errors(proxy)) == 1, errors(proxy)
    assert "imapbell.db: database or disk is full" in errors(proxy)[0]
    assert not devices(proxy) & {each.token.lower() for _, each in others}
    is_up, count = store_metrics(proxy)
    assert not is_up and count > 0
    enter(proxy, "rm $state/filler")
    proxy.wait_log(r" info store store works again")
    assert store_metrics(proxy) >= (True, count)
    kept(proxy, *[phone for _, phone in others])
    session.ok("NOOP")


def test_store_full_at_start(bell, dovecot, apple, tmp_path):
    bell.allow(" error store ")
    proxy = bell(dovecot.port, "-o", "watch.key_file=%s/key" % tmp_path,
                 inside="state={state}\n" + SMALL + "\n" + FILL)
    user, phone = device(proxy, dovecot)
    rings(dovecot, apple, user, phone)
    mail_flows(proxy.session(user))
    assert len(errors(proxy)) == 1, errors(proxy)
    enter(proxy, "rm $state/filler")
    proxy.wait_log(r" info store store works again")
    kept(proxy, phone)
    rings(dovecot, apple, user, phone)


# The very first start: there is no key to seal passwords with

READONLY = "mount --bind {state} {state}\nmount -o remount,bind,ro {state}"


@pytest.mark.parametrize("wrong, mend", [
    ("state={state}\n" + SMALL + "\n" + FILL, "rm $state/filler"),
    (READONLY, "mount -o remount,bind,rw $state"),
], ids=["full", "readonly"])
def test_no_key_can_be_made_at_start(bell, dovecot, apple, wrong, mend):
    """Who comes when it can be made is watched."""
    bell.allow(" error (store|push) ")
    proxy = bell(dovecot.port, inside=wrong)
    user, phone = device(proxy, dovecot)
    mail_flows(proxy.session(user))
    assert len(errors(proxy)) == 2, errors(proxy)
    assert any("seal.key" in line for line in errors(proxy))
    enter(proxy, mend)
    proxy.wait_log(r" info push logins are kept from now on")
    proxy.session(user).logout()
    proxy.wait_log(r" watching user=%s$" % user)
    rings(dovecot, apple, user, phone)
    start = len(proxy.log())
    kept(proxy, phone)
    enter(proxy, "chmod 0644 $state/seal.key")  # it is read only once
    proxy.session(user).logout()
    assert errors(proxy, start) == []


def test_key_is_mended(bell, dovecot, apple):
    """Those who were watched with it are watched with it, when it is back."""
    bell.allow(r" error push watch\.key_file")
    proxy = bell(dovecot.port)
    user, phone = device(proxy, dovecot)
    proxy.process.stop()
    key = proxy.state / "seal.key"
    key.chmod(0o644)
    start = len(proxy.log())
    proxy.start()
    proxy.wait_log(r"not watched user=%s: there is no key" % user, start=start)
    key.chmod(0o600)
    proxy.wait_log(r" watching user=%s$" % user, start=start)
    rings(dovecot, apple, user, phone)


# The disk is read-only

@pytest.mark.parametrize("end", ["stop", "kill"])
def test_store_readonly(bell, dovecot, apple, end):
    """Those known ring, new ones are kept, and all is written when it can."""
    bell.allow(" error store ")
    proxy = bell(dovecot.port)
    user, phone = device(proxy, dovecot)
    getattr(proxy.process, end)()
    proxy.args[:0] = ["unshare", "--mount", "sh", "-ec",
                      "mount --bind {0} {0}\nmount -o remount,bind,ro {0}\n"
                      'exec "$@"'.format(proxy.state), "sh"]
    proxy.start()
    rings(dovecot, apple, user, phone)
    other = device(proxy, dovecot)
    rings(dovecot, apple, *other)
    mail_flows(proxy.session(user))
    assert len(errors(proxy)) == 1, errors(proxy)
    enter(proxy, "mount -o remount,bind,rw $state")
    proxy.wait_log(r" info store store works again")
    kept(proxy, phone, other[1])


# The database is damaged

def scribble(path):
    path.write_bytes(os.urandom(path.stat().st_size))


def newer(path):
    subprocess.run(["sqlite3", path, "PRAGMA user_version = 1000"],
                   check=True)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [scribble, newer, cut])
def test_store_damaged_at_start(bell, dovecot, apple, damage):
    """It is set aside, and a new one is begun."""
    bell.allow(" error store ")
    proxy = bell(dovecot.port)
    device(proxy, dovecot)
    proxy.process.stop()
    database = proxy.state / "imapbell.db"
    damage(database)
    bad = database.read_bytes()
    proxy.start()
    user, phone = device(proxy, dovecot)
    rings(dovecot, apple, user, phone)
    mail_flows(proxy.session(user))
    kept(proxy, phone)
    aside = [path for path in proxy.state.iterdir()
             if not path.name.endswith(("-wal", "-shm"))
             and path.name not in ("imapbell.db", "imapbell.db-lock",
                                   "seal.key")]
    assert [path.read_bytes() for path in aside] == [bad]
    assert aside[0].name in errors(proxy)[0]
    assert len(errors(proxy)) == 1, errors(proxy)


def test_store_is_a_directory(bell, dovecot, apple):
    """Not ours to move: it works again when that has gone."""
    bell.allow(" error store ")
    proxy = bell(dovecot.port)
    device(proxy, dovecot)
    proxy.process.stop()
    database = proxy.state / "imapbell.db"
    database.unlink()
    database.mkdir()
    proxy.start()
    user, phone = device(proxy, dovecot)
    rings(dovecot, apple, user, phone)
    mail_flows(proxy.session(user))
    assert len(errors(proxy)) == 1, errors(proxy)
    database.rmdir()
    proxy.wait_log(r" info store store works again")
    kept(proxy, phone)


def overwrite(path):
    """In place: it stays the same file."""
    with open(path, "r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def empty(path):
    os.truncate(path, 0)


def delete(path):
    for each in path.parent.glob(path.name + "*"):
        each.unlink()


def delete_log(path):
    path.with_name(path.name + "-wal").unlink()


def take_away(path):
    path.rename(path.with_name("elsewhere"))


def restore(path):
    """An older copy, in place."""
    shutil.copyfile(path.with_name("backup"), path)


@pytest.mark.parametrize("damage", [overwrite, empty, cut, delete, delete_log,
                                    take_away, restore])
def test_store_destroyed_while_running(bell, dovecot, apple, damage):
    """Everything is in memory, and is written anew."""
    bell.allow(" error store ")
    proxy = bell(dovecot.port)
    device(proxy, dovecot)
    enter(proxy, 'sqlite3 $state/imapbell.db ".backup $state/backup"')
    first = device(proxy, dovecot)
    proxy.process.stop()  # so that nothing is in SQLite's log alone
    start = len(proxy.log())
    proxy.start()
    proxy.wait_log(r" watching user=%s$" % first[0], start=start)
    session = proxy.session(first[0])
    damage(proxy.state / "imapbell.db")
    second = device(proxy, dovecot)
    kept(proxy, first[1], second[1])
    mail_flows(session)
    assert errors(proxy)
    proxy.kill()
    proxy.start()
    for each in (first, second):
        rings(dovecot, apple, *each)


# Names are not resolved any more

HOSTS = "127.0.0.1 localhost backend.test\n"


class Names:
    """
    What /etc says about names, for one imapbell alone. The server for them is
    an address of loopback on whose port 53 nobody is, or the test is, and says
    nothing: each question takes 4 s, if |options| do not say otherwise.
    """

    def __init__(self, folder, listening, options="timeout:2 attempts:2"):
        # Other runs on this machine have another one.
        pid = os.getpid()
        server = "127.%d.%d.%d" % (64 + (pid >> 16 & 63), pid >> 8 & 255,
                                   pid & 255)
        self.hosts = folder / "hosts"
        self.hosts.write_text(HOSTS)
        (folder / "resolv.conf").write_text(
            "nameserver %s\noptions %s\n" % (server, options))
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        self.inside = "".join("mount --bind %s /etc/%s\n" % (folder / name, name)
                              for name in ("hosts", "resolv.conf",
                                           "nsswitch.conf"))
        self.queries = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.queries.settimeout(PATIENCE * SLOW)
        if listening:
            self.queries.bind((server, 53))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.queries.close()

    def known(self, hosts):
        """In place: it is mounted."""
        self.hosts.write_text(hosts)

    def asked(self, name):
        """Waits until somebody asks for |name|."""
        wanted = b"".join(b"%c%s" % (len(label), label)
                          for label in name.encode().split(b"."))
        while wanted not in self.queries.recv(65536):
            pass


@pytest.fixture(params=["refuses", "silent"])
def names(request, tmp_path):
    with Names(tmp_path, request.param == "silent") as names:
        yield names


def named(bell, apple, dovecot, names):
    """An imapbell that has its backend and APNs by name."""
    return bell(dovecot.port, "-b", "imap://backend.test:%d" % dovecot.port,
                "--apns", "https://localhost:%d" % apple.port,
                "-o", "timeouts.login_s=600", inside=names.inside)


def test_names_gone(bell, dovecot, apple, names):
    """Sessions go on; logins and pushes work again when names do."""
    bell.allow(" error proxy.*: resolve backend.test:")
    proxy = named(bell, apple, dovecot, names)
    user, phone = device(proxy, dovecot)
    rings(dovecot, apple, user, phone)
    session = proxy.session(user)
    names.known("")
    mail_flows(session)
    client = proxy.connect(seconds=30)
    refusal = client.command('LOGIN "%s" pass' % user)[-1]
    assert b" NO [UNAVAILABLE] " in refusal
    apple.drop()
    count = len(phone.pushes(apple.requests))
    dovecot.deliver(user, message())
    proxy.wait_log(r" warn apns .*resolve localhost")
    session.ok("NOOP")
    assert len(phone.pushes(apple.requests)) == count
    start = len(proxy.log())
    names.known(HOSTS)
    ring(apple, phone, count + 1)
    proxy.wait_log(r" proxy backend backend.test:\d+ is up", start=start)
    wait_until(lambda: client.command('LOGIN "%s" pass' % user)[-1].startswith(
        b"a%d OK " % client.count), "a login")


def test_names_of_push_never_delay_a_login(bell, dovecot, apple, tmp_path):
    """While Apple's name is looked up in vain, the backend's is found."""
    with Names(tmp_path, True, "timeout:20 attempts:1") as names:
        proxy = named(bell, apple, dovecot, names)
        user, phone = device(proxy, dovecot)
        rings(dovecot, apple, user, phone)
        names.known("127.0.0.1 backend.test\n")
        apple.drop()
        count = len(phone.pushes(apple.requests))
        dovecot.deliver(user, message())
        names.asked("localhost")
        begin = time.monotonic()
        proxy.session(user)
        assert time.monotonic() - begin < 15
        names.known(HOSTS)
        ring(apple, phone, count + 1, seconds=PATIENCE)


@without_valgrind("it takes the thread that is left at work for a leak")
def test_end_waits_for_no_name(bell, dovecot, apple, tmp_path):
    bell.allow(" error proxy.*: resolve backend.test:")
    with Names(tmp_path, True, "timeout:30 attempts:3") as names:
        names.known("127.0.0.1 localhost\n")
        proxy = named(bell, apple, dovecot, names)
        names.asked("backend.test")
        begin = time.monotonic()
        proxy.process.stop()
        assert time.monotonic() - begin < 20


# Descriptors run out

def use_up(proxy, spare):
    """Leaves |spare| descriptors and takes them; the connections."""
    used = [int(fd) for fd in os.listdir("/proc/%d/fd" % proxy.pid)]
    limit = max(used) + 1 + spare
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (limit, limit))
    start = len(proxy.log())
    strangers = [socket.create_connection(("127.0.0.1", proxy.port))
                 for _ in range(2 * limit)]
    proxy.wait_log(r" warn net accepting pauses", start=start)
    return strangers


def rests(proxy):
    """Whether it works for less than a fifth of the time."""
    begin, used = time.monotonic(), processor_s(proxy.pids)
    time.sleep(1)
    used = processor_s(proxy.pids) - used
    return used < 0.2 * (time.monotonic() - begin)


@without_valgrind("its own descriptors are the highest")
def test_descriptors_run_out(bell, dovecot, apple):
    """Accepting pauses without spinning; those there go on."""
    bell.allow(" error store ")
    proxy = bell(dovecot.port, "-o", "limits.logins_pending_per_address=1000",
                 "--workers", "0")  # the descriptors are one process'
    user, phone = device(proxy, dovecot)
    rings(dovecot, apple, user, phone)
    session = proxy.session(user)
    strangers = use_up(proxy, 5)
    wait_until(lambda: rests(proxy), "rest")
    mail_flows(session)
    other = Phone()
    register(session, other)
    kept(proxy, other)
    rings(dovecot, apple, user, phone)
    # What is lost now cannot be opened again before somebody leaves.
    apple.drop()
    delete(proxy.state / "imapbell.db")
    third = Phone()
    register(session, third)
    count = len(phone.pushes(apple.requests))
    dovecot.deliver(user, message())
    proxy.wait_log(r" error store ")
    session.ok("NOOP")
    for stranger in strangers:
        stranger.close()
    ring(apple, phone, count + 1)
    kept(proxy, phone, other, third)
    proxy.session(user)
