# SPDX-License-Identifier: ISC
"""
Who processes are, and what is left to somebody who took one over: attempts.c
tries it from inside, as root's child and as a service that never was root.
"""
import contextlib
import errno
import mmap
import os
import pwd
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import imapbell
from imap import Closed
from imapbell import (BINARY, COMMAND, ENVIRONMENT, ROOT, WORKERS,
                      Imapbell)
from lmtp import message
from phone import Phone
from process import SLOW, wait_until
from test_ring import register, ring

pytestmark = [pytest.mark.sandbox,
              pytest.mark.skipif(os.getuid() != 0, reason="needs root")]

HOOK = Path(BINARY).parents[1] / "tests/e2e/attempts.so"
FILTER = Path(__file__).with_name("filter.py")
UNIT = ROOT / "etc/imapbell.service.in"
NOBODY = pwd.getpwnam("nobody")
SERVICE = ("setpriv", "--reuid", str(NOBODY.pw_uid),
           "--regid", str(NOBODY.pw_gid), "--clear-groups", "--")
# A set of capabilities.
EMPTY = "0000000000000000"


def is_sanitized():
    return b"__asan_init" in Path(BINARY).read_bytes()


def give(*paths):
    for path in paths:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


class Place:
    """Folders and files of nobody's; |give_keys|: these, too."""

    def __init__(self, dovecot, tls, apple, give_keys):
        self.folder = Path(tempfile.mkdtemp(prefix="imapbell-rights-"))
        self.folder.chmod(0o755)
        self.dovecot, self.tls, self.apple = dovecot, tls, apple
        self.keys = {}
        for name, path in (
                ("--tls-cert", tls.server_cert), ("--tls-key", tls.server_key),
                ("--apns-cert", apple.certs.client_cert),
                ("--apns-key", apple.certs.client_key),
                ("--apns-ca", apple.certs.ca)):
            self.keys[name] = self.folder / (name[2:] + ".pem")
            shutil.copy(path, self.keys[name])
            self.keys[name].chmod(0o600)
            if give_keys:
                give(self.keys[name])
        self.bells = []

    def start(self, *options, prefix=(), inside=None):
        where = Path(tempfile.mkdtemp(prefix="bell-", dir=self.folder))
        where.chmod(0o755)
        bell = Imapbell(where, "imap://127.0.0.1:%d" % self.dovecot.port,
                        self.tls, self.apple.certs, self.apple.url,
                        [*[str(each) for key in self.keys.items()
                           for each in key],
                         "-o", "process.user=nobody", *options], inside)
        give(bell.state)
        bell.state.chmod(0o700)
        bell.args[:0] = prefix
        self.bells.append(bell)
        return bell.start()

    def rings(self, bell):
        """A phone registers and is rung: all of it works."""
        user, phone = self.dovecot.user(), Phone()
        client = bell.session(user)
        register(client, phone)
        client.logout()
        self.dovecot.deliver(user, message())
        assert ring(self.apple, phone)

    def end(self, allow=None):
        for bell in self.bells:
            bell.stop(allow)
        shutil.rmtree(self.folder)


@pytest.fixture
def place(dovecot, tls, apple):
    made = Place(dovecot, tls, apple, give_keys=False)
    made.allow = None
    yield made
    made.end(made.allow)


# Who they are

def facts(pid):
    text = Path("/proc/%d/status" % pid).read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def processes(bell):
    """All but main, with those that a worker has; the one process, if it is
    all."""
    if WORKERS == "0":
        return [bell.pid]
    found = []
    for pid in bell.pids[1:]:
        found += [pid, *imapbell.children(pid)]
    return found


def is_gone(pid):
    try:
        return facts(pid)["State"].startswith("Z")
    except FileNotFoundError:
        return True


def is_nobody(pid):
    what = facts(pid)
    assert what["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert what["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert what["Groups"].split() == [str(NOBODY.pw_gid)]
    for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert what[which] == EMPTY, which
    assert what["NoNewPrivs"] == "1"
    limits = Path("/proc/%d/limits" % pid).read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    if not is_sanitized():
        assert what["Seccomp"] == "2"


def test_root_becomes_another(place):
    """Keys are root's alone, the state is the user's, and it rings."""
    bell = place.start()
    place.rings(bell)
    for pid in processes(bell):
        is_nobody(pid)
    if WORKERS != "0":
        assert facts(bell.pid)["Uid"].split()[0] == "0"
    for name in ("imapbell.db", "seal.key"):
        assert (bell.state / name).stat().st_uid == NOBODY.pw_uid


def test_replacement_is_another_too(place):
    bell = place.start("--workers", "1")
    place.allow = "died: signal 9"
    for role in ("push", "worker"):
        pid = bell.children(role)[0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: bell.children(role) not in ([], [pid]), role, 60)
    place.rings(bell)
    for pid in bell.pids[1:]:
        is_nobody(pid)


def test_group_is_as_named(place):
    bell = place.start("-o", "process.group=daemon")
    pid = processes(bell)[0]
    assert facts(pid)["Gid"].split() == ["1"] * 4


def test_service_has_no_capability_left(place):
    """Started as a user that may open port 993, as the unit does."""
    give(*place.keys.values())
    bell = place.start(prefix=(*SERVICE[:-1], "--inh-caps",
                               "+net_bind_service", "--ambient-caps",
                               "+net_bind_service", "--"))
    place.rings(bell)
    for pid in processes(bell):
        assert facts(pid)["CapEff"] == facts(pid)["CapAmb"] == EMPTY
    assert "process.user" not in bell.log()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_unit_leaves_it_the_calls_that_it_needs(place, workers):
    """Also those by which it confines itself."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze tells which calls a unit leaves")
    give(*place.keys.values())
    # What looks for leaks at the end is a debugger.
    filtered = (*SERVICE[:-1], "--inh-caps", "+net_bind_service",
                "--ambient-caps", "+net_bind_service", "--",
                "env", "ASAN_OPTIONS=detect_leaks=0",
                sys.executable, FILTER, UNIT)
    bell = place.start("--workers", workers, prefix=filtered)
    place.rings(bell)
    for pid in bell.pids[1:] or [bell.pid]:
        assert facts(pid)["CapEff"] == facts(pid)["CapAmb"] == EMPTY
    free = place.start("--workers", workers, prefix=SERVICE)
    for line in set(re.findall("warn role .*", bell.log())):
        free.wait_log(re.escape(line.partition(" repeated=")[0]))


def test_root_that_stays_root_is_warned(place):
    bell = place.start("-o", "process.user=root")
    assert re.search(r" warn role process\.user = root:", bell.log())


def test_user_that_nobody_becomes_is_warned(place):
    give(*place.keys.values())
    bell = place.start("-o", "process.user=daemon", prefix=SERVICE)
    assert re.search(r" warn role process\.user = daemon is not used",
                     bell.log())


def test_main_that_dies_takes_all_with_it(place):
    """Linux forgets that wish when a process becomes another."""
    bell = place.start("--workers", "1")
    pids = bell.pids[1:]
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # it does not notice by itself
    bell.kill()
    try:
        wait_until(lambda: all(map(is_gone, pids)), "all gone", 60)
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("options, sentence", [
    (["process.user=no-such-user"],
     r"process\.user: this machine has no user no-such-user: .*"
     r"process\.user=root"),
    (["process.user=nobody", "process.group=no-such-group"],
     r"process\.group: this machine has no group no-such-group"),
])
@pytest.mark.parametrize("test", [[], ["-t"]], ids=["start", "test"])
def test_user_must_exist(place, options, sentence, test):
    ended = subprocess.run(
        [*COMMAND, "-l", "imap://127.0.0.1:0", "-b", "imap://127.0.0.1:1",
         "--state", str(place.folder), *test,
         *[each for option in options for each in ("-o", option)]],
        env=ENVIRONMENT, text=True, capture_output=True, timeout=60 * SLOW,
        check=False)
    assert ended.returncode == 78
    assert re.search(sentence, ended.stderr), ended.stderr


# The state directory

def test_state_is_made_for_the_user(place):
    state = place.folder / "made"
    bell = place.start("--state", state)
    wait_until((state / "seal.key").exists, "a key", 60)
    assert state.stat().st_uid == NOBODY.pw_uid
    assert state.stat().st_gid == NOBODY.pw_gid
    assert state.stat().st_mode & 0o777 == 0o700
    place.rings(bell)


def test_state_of_somebody_else_is_named(place, dovecot):
    """It is not taken, mail flows, and the sentence says what to do."""
    state = place.folder / "roots"
    state.mkdir(0o755)
    (state / "imapbell.db").touch(0o600)
    place.allow = " error (role|store|push) "
    bell = place.start("--state", state)
    bell.wait_log(r" error role process\.user: \S+/roots is not nobody's, .*: "
                  r"chown -R nobody \S+/roots$")
    bell.session(dovecot.user()).ok("NOOP")
    assert (state / "imapbell.db").stat().st_uid == 0


@pytest.mark.parametrize("command", ["-t", "check"])
def test_root_that_looks_leaves_nothing_of_its_own(place, command):
    state = place.folder / "state"
    state.mkdir(0o700)
    give(state)
    arguments = [*COMMAND, "-l", "imaps://127.0.0.1:0", "-b",
                 "imap://127.0.0.1:%d" % place.dovecot.port,
                 "--apns", place.apple.url, "--state", str(state),
                 "-o", "process.user=nobody",
                 *[str(each) for key in place.keys.items() for each in key]]
    ended = subprocess.run(
        [*arguments, command], env=ENVIRONMENT, text=True,
        capture_output=True, timeout=60 * SLOW, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {path.stat().st_uid for path in state.iterdir()} <= {NOBODY.pw_uid}
    (state / "imapbell.db").touch(0o600)
    ended = subprocess.run(
        [*arguments, command], env=ENVIRONMENT, text=True,
        capture_output=True, timeout=60 * SLOW, check=False)
    assert ended.returncode in (1, 78)
    assert "imapbell.db is not nobody's" in ended.stdout + ended.stderr


@pytest.mark.parametrize("command, status", [("-t", 78), ("check", 1)])
@pytest.mark.parametrize("is_far", [False, True], ids=["state", "elsewhere"])
def test_root_that_looks_before_the_first_start(place, command, status,
                                                is_far):
    """What the start makes is not missed, and not made; all else is."""
    made, far = place.folder / "made", place.folder / "far"
    ended = subprocess.run(
        [*COMMAND, "-l", "imaps://127.0.0.1:0", "-b",
         "imap://127.0.0.1:%d" % place.dovecot.port, "--apns",
         place.apple.url, "--state", str(made), "-o", "process.user=nobody",
         *(["-o", "store.path=%s/imapbell.db" % far] if is_far else []),
         *[str(each) for key in place.keys.items() for each in key], command],
        env=ENVIRONMENT, text=True, capture_output=True, timeout=60 * SLOW,
        check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == (status if is_far else 0), said
    assert ("far/imapbell.db" in said) == is_far, said
    assert not made.exists() and not far.exists()


# What they need

READONLY = """
mount --bind {state} {state}
mount -o remount,bind,ro /
! touch {state}/../no-file 2>/dev/null
touch {state}/a-file"""


@pytest.mark.parametrize("user", ["nobody", "root"])
def test_one_writable_folder_suffices(place, user):
    bell = place.start("-o", "process.user=" + user, inside=READONLY)
    place.rings(bell)
    assert (bell.state / "a-file").exists()


def files(pid):
    """What its descriptors are; some may be closed just now."""
    found = []
    for path in Path("/proc/%d/fd" % pid).iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(path))
    return found


def test_descriptors_of_others_are_closed(place):
    """None that main was started with, no listener where nobody listens."""
    with open(place.keys["--apns-key"], "rb") as key:
        os.set_inheritable(key.fileno(), True)
        bell = place.start("--workers", "2", prefix=(
            "sh", "-c", 'exec "$@" 9<%s' % place.keys["--apns-key"], "sh"))
    place.rings(bell)
    for pid in [each for child in bell.pids[1:]
                for each in (child, *imapbell.children(child))]:
        assert str(place.keys["--apns-key"]) not in files(pid)
    listening = Path("/proc/net/tcp").read_text()
    ours = re.findall(r": \S+:%04X \S+ 0A .*? (\d+) 1 " % bell.port, listening)
    held = {number: [pid for pid in bell.pids[1:] for file in files(pid)
                     if file == "socket:[%s]" % number]
            for number in ours}
    assert sorted(map(len, held.values())) == [1, 1], held
    assert not set(bell.children("push")) & {
        pid for pids in held.values() for pid in pids}


# Attempts

ASKED, TRYING, DONE = 1, 2, 3
PAGE = struct.Struct("@iii16s256s")

# Refused where it was tried, or by the end of the process.
REFUSED = {errno.EACCES, errno.EPERM, errno.ENOSYS}
ENDED = "ended"


class Attempts:
    """Asks the one worker of |bell| to try something."""

    def __init__(self, place, *options, prefix=()):
        path = place.folder / "attempts"
        path.write_bytes(b"\0" * mmap.PAGESIZE)
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.bell = place.start(*options, prefix=(
            *prefix, "env", "ATTEMPTS=%s" % path, "LD_PRELOAD=%s" % HOOK))

    def state(self):
        return PAGE.unpack_from(self.page)

    def __call__(self, what, path="", pid=0):
        """0, an errno, or ENDED."""
        worker = self.bell.children("worker")[0]
        PAGE.pack_into(self.page, 0, ASKED, 0, pid, what.encode(),
                       str(path).encode())
        with contextlib.suppress(Closed, OSError):
            self.bell.connect().close()
        wait_until(lambda: self.state()[0] == DONE or
                   self.bell.children("worker") not in ([], [worker]),
                   "an end of %s" % what, 60)
        state, error = self.state()[:2]
        return error if state == DONE else ENDED


@pytest.fixture(params=["root", "service"])
def as_whom(request):
    return () if request.param == "root" else SERVICE


@pytest.fixture
def kept(dovecot, tls, apple):
    """All is nobody's, so that no permission refuses it."""
    if is_sanitized() or "IMAPBELL_TEST_VALGRIND" in os.environ:
        pytest.skip("a sanitizer or valgrind needs more than a sandbox allows")
    made = Place(dovecot, tls, apple, give_keys=True)
    made.allow = None
    yield made
    made.end(made.allow)


def secrets_of(place, bell):
    return {"the database": bell.state / "imapbell.db",
            "the seal key": bell.state / "seal.key",
            "the key for APNs": place.keys["--apns-key"],
            "the listener's key": place.keys["--tls-key"],
            "accounts": Path("/etc/passwd")}


def test_a_worker_is_refused(kept, as_whom):
    kept.allow = r"died: signal 31"
    attempt = Attempts(kept, "--workers", "1",
                       prefix=as_whom)
    kept.rings(attempt.bell)
    push = attempt.bell.children("push")[0]
    main = attempt.bell.pid
    for what, path in secrets_of(kept, attempt.bell).items():
        assert attempt("read", path) == errno.EACCES, what
    for folder in (attempt.bell.state, Path("/tmp"), Path("/dev/shm")):
        assert attempt("make", folder / "new") in REFUSED, folder
    for pid in (push, main):
        for what in ("signal", "own"):
            assert attempt(what, pid=pid) in REFUSED, what
    for what in ("fork", "netlink", "raw", "listen", "memory", "dump"):
        assert attempt(what) in REFUSED, what
    assert attempt("connect", "/run/systemd/private") in REFUSED
    for what in ("exec", "root"):
        assert attempt(what) == ENDED, what
    for pid in (push, main):
        for what in ("trace", "look"):
            assert attempt(what, pid=pid) == ENDED, what
    kept.rings(attempt.bell)


def test_without_sandbox_it_is_not(kept, as_whom):
    """So it is the sandbox that refuses, and what is refused is there."""
    attempt = Attempts(kept, "--workers", "1", "-o",
                       "process.sandbox=false", prefix=as_whom)
    kept.rings(attempt.bell)
    push = attempt.bell.children("push")[0]
    for what, path in secrets_of(kept, attempt.bell).items():
        assert attempt("read", path) == 0, what
    for folder in (attempt.bell.state, Path("/tmp"), Path("/dev/shm")):
        assert attempt("make", folder / "new") == 0, folder
    for what in ("signal", "own"):
        assert attempt(what, pid=push) == 0, what
    for what in ("fork", "netlink", "listen", "memory"):
        assert attempt(what) == 0, what
    assert attempt("connect", "/run/systemd/private") in (
        errno.ENOENT, errno.ECONNREFUSED, errno.EACCES)
    assert attempt("exec") == errno.ENOENT
    # What is left holds without it: no way back, no look into another.
    for what in ("root", "raw"):
        assert attempt(what) == errno.EPERM, what
    for what in ("trace", "look"):
        assert attempt(what, pid=push) == errno.EPERM, what


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_core_of_none(kept, workers):
    bell = kept.start("--workers", workers)
    for pid in bell.pids[1:] or bell.pids:
        owner = Path("/proc/%d/mem" % pid).stat().st_uid
        assert owner == 0  # not dumpable: not the user's
