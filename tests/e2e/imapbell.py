# SPDX-License-Identifier: ISC
"""imapbell under test: starts it, reads its log, and judges how it ended."""
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from imap import Imap
from process import PATIENCE, Process, children, wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("IMAPBELL_BIN", str(ROOT / "build/src/imapbell"))
ACTIVATE = Path(__file__).with_name("activate.py")
VALGRIND = ("valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible")
COMMAND = (VALGRIND if os.environ.get("IMAPBELL_TEST_VALGRIND") else ()) + (
    BINARY,)
# How many worker processes each imapbell has, unless a test says so.
WORKERS = os.environ.get("IMAPBELL_TEST_WORKERS", "0")
# Names of the tests' own would be warned about.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("IMAPBELL_")}
if os.getuid() == 0:  # the folders of the tests are root's
    ENVIRONMENT["IMAPBELL_PROCESS_USER"] = "root"
# What no run may leave on standard error. LeakSanitizer misses the registers of
# a thread if its process, here by main's death, is killed while it looks.
REPORT = re.compile(r"Sanitizer|runtime error:|"
                    r"^==\d+==(?!Unable to get registers from thread)|"
                    r"Assertion .* failed|^\S+ error .*", re.M)


class Imapbell:
    """
    One imapbell on a free port of 127.0.0.1 in front of |backend| (a URL).
    |tls| and |apns| are apns_certs.Certs of the listener and of the APNs
    stand-in at |apns_url|; without |apns_url| pushes are dry runs. |options|
    come last on the command line, so that they win. |inside| are shell
    commands for a mount namespace of its own, with {state} for the state
    directory: what they mount only imapbell sees. |handed| are pairs of a
    socket and its name that it is started with.
    """

    def __init__(self, folder, backend, tls, apns=None, apns_url=None,
                 options=(), inside=None, handed=()):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.state.mkdir()
        self.ca = tls.ca
        self.args = [
            *COMMAND, "-l", "imaps://127.0.0.1:0", "-b", backend,
            "--tls-cert", tls.server_cert, "--tls-key", tls.server_key,
            "--state", self.state, "--watch-login", "sealed",
            "--workers", WORKERS]
        if apns_url is None:
            self.args += ["--apns", "dry-run", "--apns-topic",
                          "com.apple.mobilemail.push.org.example"]
        else:
            self.args += ["--apns", apns_url, "--apns-ca", apns.ca,
                          "--apns-cert", apns.client_cert,
                          "--apns-key", apns.client_key]
        if COMMAND[0] == VALGRIND[0]:  # which is no role of ours
            self.args += ["-o", "process.sandbox=false"]
        self.args += options
        self.workers = int(self.args[-1 - self.args[::-1].index("--workers")
                                     + 1])
        if inside is not None:
            self.args[:0] = ["unshare", "--mount", "sh", "-ec",
                             inside.format(state=self.state)
                             + '\nexec "$@"', "sh"]
        self.handed = handed
        self.process = None
        self.clients = []

    def start(self):
        """Starts it, again if need be, and waits until it is ready."""
        log = self.folder / "imapbell.log"
        start = len(log.read_text()) if log.exists() else 0
        args, fds = list(self.args), [sock.fileno() for sock, _ in self.handed]
        if fds:
            names = ["%d:%s" % (sock.fileno(), name)
                     for sock, name in self.handed]
            args[:0] = [sys.executable, ACTIVATE, ",".join(names)]
        self.process = Process(args, log, ENVIRONMENT, fds)
        self.process.wait_output(r"\bready$", start=start)
        self.port = int(self.process.wait_output(
            r"listening url=imaps://127\.0\.0\.1:(\d+)", start=start)[1])
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def pids(self):
        """All of its processes: main, and those that it forked."""
        return [self.pid, *children(self.pid)]

    def children(self, role):
        """Those that are called so: "worker" or "push"."""
        if COMMAND[0] == VALGRIND[0]:
            pytest.skip("the title is valgrind's")
        name = b"imapbell: " + role.encode()
        found = []
        for pid in children(self.pid):
            with contextlib.suppress(OSError):  # one that has just died
                title = Path("/proc/%d/cmdline" % pid).read_bytes()
                if title.startswith(name):
                    found.append(pid)
        return found

    def log(self):
        return self.process.output()

    def wait_log(self, pattern, seconds=PATIENCE, start=0):
        return self.process.wait_output(pattern, seconds, start)

    @property
    def facing(self):
        """How many of its processes face clients: each is on its own."""
        return max(1, self.workers)

    def wait_log_each(self, pattern, seconds=PATIENCE, start=0):
        """Waits until each process that faces clients has said it; what the
        first one said."""
        def said():
            found = list(re.finditer(pattern, self.log()[start:], re.M))
            return found if len(found) >= self.facing else None

        return wait_until(said, "%d times %r" % (self.facing, pattern),
                          seconds)[0]

    def wait_known(self, backend=r"\S+", seconds=PATIENCE, start=0):
        """Waits until |backend| is known, and what it lists, to whichever
        process a client comes to."""
        return self.wait_log_each(r" info proxy backend %s is up$" % backend,
                                  seconds, start)

    def connect(self, **how):
        client = Imap(self.port, self.ca, **how)
        self.clients.append(client)
        return client

    def session(self, user, how="LOGIN"):
        """A new session of |user|, logged in."""
        client = self.connect()
        client.login(user, how=how)
        return client

    def kill(self):
        self.process.kill()

    def stop(self, allow=None):
        """
        Ends it as an operator does and judges: exit status 0, no report of a
        sanitizer, no line at level error but those matching |allow|.
        """
        for client in self.clients:
            client.close()
        status = self.process.stop()
        reports = [line for line in REPORT.findall(self.log())
                   if allow is None or not re.search(allow, line)]
        assert status in (0, -signal.SIGKILL), "status %d\n%s" % (status,
                                                                  self.log())
        assert not reports, "\n".join(reports) + "\n\n" + self.log()
