# SPDX-License-Identifier: ISC
"""Processes, ports and waiting. What starts here ends here, by its pid."""
import atexit
import os
import random
import re
import socket
import subprocess
import time
from pathlib import Path

# Deadlines are multiplied by this, for slow machines and valgrind.
SLOW = float(os.environ.get("IMAPBELL_TEST_SLOW", "1"))
# For what must come, while no rule says when: it only ends what hangs.
PATIENCE = 90.0


def wait_until(condition, what, seconds=PATIENCE):
    """The first true value of condition(), or TimeoutError saying |what|."""
    end = time.monotonic() + seconds * SLOW
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError("%s: not within %g s" % (what, seconds * SLOW))
        time.sleep(0.005)


def next_second():
    """Waits for it: what was made before has another second as its time."""
    now = int(time.time())
    wait_until(lambda: int(time.time()) > now, "the next second")


_ours = []  # a name for each port, until this process ends


def free_port():
    """
    A port of 127.0.0.1 that nobody has, below the range from which the
    kernel takes the ports of outgoing connections; nor do tests that run at
    the same time get it.
    """
    while True:
        port = random.randrange(10000, 32000)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind("\0imapbell-test-port-%d" % port)
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _ours.append(name)
        return port


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def children(pid):
    """The processes that |pid| started and that live."""
    return [int(child) for child in
            Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]


def processor_s(pids):
    """The processor time that processes have used."""
    used = 0
    for pid in pids:
        stat = Path("/proc/%d/stat" % pid).read_text()
        fields = stat.rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def pss(pids, kind="Pss"):
    """The memory that processes have for themselves, in octets, or what of it
    is of a |kind|."""
    texts = [Path("/proc/%d/smaps_rollup" % pid).read_text() for pid in pids]
    return sum(int(re.search(r"^%s: +(\d+) kB$" % kind, text, re.M)[1]) * 1024
               for text in texts)


class Process:
    """
    A program with its output in the file |log|: a daemon keeps what it was
    started with, and nobody reads a pipe for it. It inherits |fds|.
    """

    def __init__(self, args, log, env=None, fds=()):
        self.args = [str(arg) for arg in args]
        self.log = Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=env, start_new_session=True, pass_fds=fds)
        self.pid = self.popen.pid
        atexit.register(self.kill)

    def running(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(errors="backslashreplace")

    def wait_output(self, pattern, seconds=PATIENCE, start=0):
        """The first match of |pattern| in the output from |start| on."""
        def found():
            match = re.search(pattern, self.output()[start:], re.M)
            if match is None and not self.running():
                raise AssertionError("%s ended before it said %r:\n%s" % (
                    self.args[0], pattern, self.output()))
            return match

        try:
            return wait_until(found, "output of %r" % pattern, seconds)
        except TimeoutError as late:
            raise TimeoutError("%s\n%s" % (late, self.output())) from None

    def wait_listening(self, *ports, seconds=PATIENCE):
        def ready():
            if not self.running():
                raise AssertionError("%s ended:\n%s"
                                     % (self.args[0], self.output()))
            return all(map(listens, ports))

        wait_until(ready, "%s on ports %s" % (self.args[0], ports), seconds)

    def kill(self):
        """SIGKILL, if it still runs; nothing is left at exit in any case."""
        atexit.unregister(self.kill)
        if self.running():
            self.popen.kill()
        return self.popen.wait()

    def stop(self, seconds=PATIENCE):
        """SIGTERM; returns the exit status."""
        if self.running():
            self.popen.terminate()
        try:
            self.popen.wait(seconds * SLOW)
            return self.kill()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("%s did not end within %g s of SIGTERM:\n%s"
                                 % (self.args[0], seconds * SLOW,
                                    self.output())) from None
