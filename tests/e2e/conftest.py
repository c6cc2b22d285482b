# SPDX-License-Identifier: ISC
"""What the tests stand on: servers once per run, an imapbell for each test."""
import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

import apns_certs
import imapbell
from apns_standin import StandIn
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot
from imapbell import ROOT, Imapbell
from process import SLOW

UNPACKED = ROOT / ".cache/servers"
SHOWN = 20000  # octets of a log at its end


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true",
                     help="also the tests that take a minute or more")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what imapbell said when a test fails."""
    report = (yield).get_result()
    if report.failed:
        args = getattr(item, "funcargs", {})
        for make in (args.get("bell"), args.get("module_bell")):
            for bell in make.bells if make is not None else ():
                # The last test's folder goes before its end is reported.
                if bell.process is not None and bell.process.log.exists():
                    report.sections.append(
                        ("imapbell", bell.log()[-SHOWN:]))


@pytest.fixture(scope="session")
def folder():
    """A folder that the servers' own users can read, too."""
    path = Path(tempfile.mkdtemp(prefix="imapbell-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def tls(folder):
    """Certificates of listeners."""
    return apns_certs.Certs(folder / "tls")


@pytest.fixture(scope="session")
def apple_certs(folder):
    return apns_certs.Certs(folder / "apple")


def _running(server):
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dovecot(folder, tls):
    yield from _running(Dovecot(folder / "dovecot", tls))


@pytest.fixture(scope="session")
def dovecot_named(folder, tls):
    """One where each user has a password that can be changed."""
    yield from _running(Dovecot(folder / "dovecot-named", tls, named=True))


@pytest.fixture(scope="session")
def dovecot_trusting(folder, tls):
    """One that believes what a proxy at 127.0.0.1 says in an ID, and of one
    client takes a password by TLS only."""
    yield from _running(Dovecot(
        folder / "dovecot-trusting", tls,
        "login_trusted_networks = 127.0.0.1\n"
        "remote 127.0.0.78 {\n"
        "  disable_plaintext_auth = yes\n"
        "}\n"))


def _needs_root():
    if os.getuid() != 0:
        pytest.skip("needs root for users of its own")


@pytest.fixture(scope="session")
def courier(folder):
    _needs_root()
    yield from _running(Courier(folder / "courier", UNPACKED / "courier-imap"))


@pytest.fixture(scope="session")
def cyrus(folder):
    _needs_root()
    yield from _running(Cyrus(folder / "cyrus", UNPACKED / "cyrus-imapd"))


@pytest.fixture(scope="session")
def cyrus_aps(folder):
    """A Cyrus with an XAPPLEPUSHSERVICE of its own."""
    _needs_root()
    yield from _running(Cyrus(
        folder / "cyrus-aps", UNPACKED / "cyrus-imapd",
        topic="com.apple.mail.XServer.00000000-cyrus"))


@pytest.fixture(params=["dovecot", "courier", "cyrus"])
def server(request):
    """Each of the three real servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def nobody():
    """A port at which nobody can listen: it is ours."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def apple(apple_certs):
    """The stand-in for Apple's push service."""
    with StandIn(apple_certs) as standin:
        yield standin


@pytest.fixture(scope="module")
def module_apple(apple_certs):
    with StandIn(apple_certs) as standin:
        yield standin


class Bells:
    """Makes imapbells, and judges each when the test is over."""

    def __init__(self, folder, tls, apple):
        self.folder = folder
        self.tls = tls
        self.apple = apple
        self.bells = []
        self.allowed = None

    def __call__(self, port, *options, inside=None, handed=()):
        """One in front of the server on |port| or, as that may be a URL, at
        |port|, started."""
        url = port if isinstance(port, str) else "imap://127.0.0.1:%d" % port
        bell = Imapbell(
            tempfile.mkdtemp(prefix="bell-", dir=self.folder), url, self.tls,
            self.apple.certs, self.apple.url, options, inside, handed)
        self.bells.append(bell)
        bell.start()
        if bell.workers > 0:
            # A test needs one of them, and may be over, and the server gone,
            # before the others have heard from it.
            with contextlib.suppress(TimeoutError):
                bell.wait_log_each(r" backend \S+ is (up|down)\b", 30)
        return bell

    def allow(self, pattern):
        """Error lines that match are what the test is about."""
        self.allowed = pattern

    def stop(self):
        """The last one first: it may be in front of one before it."""
        for bell in reversed(self.bells):
            bell.stop(self.allowed)


@pytest.fixture
def bell(folder, tls, apple):
    make = Bells(folder, tls, apple)
    yield make
    make.stop()


@pytest.fixture(scope="module")
def module_bell(folder, tls, module_apple):
    """Where many short tests share one imapbell."""
    make = Bells(folder, tls, module_apple)
    yield make
    make.stop()


@pytest.fixture
def watchdog_s():
    """How long the manager waits for a sign of life; None: for ever."""
    return None


@pytest.fixture
def manager(tmp_path, monkeypatch, watchdog_s):
    """A service manager's socket, as NOTIFY_SOCKET names it."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(60 * SLOW)
        monkeypatch.setitem(imapbell.ENVIRONMENT, "NOTIFY_SOCKET", path)
        if watchdog_s is not None:
            monkeypatch.setitem(imapbell.ENVIRONMENT, "WATCHDOG_USEC",
                                str(int(watchdog_s * 1000000)))
        yield sock


def pytest_terminal_summary(terminalreporter):
    """What test_conformance covered."""
    same = [value for report in terminalreporter.getreports("passed")
            for name, value in report.user_properties if name == "dialogue"]
    if same:
        dialogues, servers, chunkings = map(set, zip(*same))
        terminalreporter.write_line(
            "conformance: %d dialogues, %d servers, %d chunkings (%s): "
            "%d transcripts equal" % (
                len(dialogues), len(servers), len(chunkings),
                ", ".join(sorted(chunkings)), len(same)))
