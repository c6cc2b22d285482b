# SPDX-License-Identifier: ISC
"""Processes that hang, and what the service manager hears meanwhile."""
import os
import signal
import time

import pytest

from notify import forget, wait_told
from process import wait_until
from test_upgrade import mains

assert mains  # a fixture


@pytest.fixture
def watchdog_s():
    """So long that a process which only waits for its turn on a busy machine is
    not taken for one that hangs."""
    return 12


@pytest.mark.parametrize("role", ["worker", "push"])
def test_one_that_hangs_is_replaced(bell, dovecot, manager, role):
    bell.allow(r"error role (worker|push) \d+ pid=\d+ "
               r"(hangs for \d+ s: it is ended|died: signal 9)")
    proxy = bell(dovecot.port, "--workers", "2")
    pid = proxy.children(role)[0]
    os.kill(pid, signal.SIGSTOP)
    proxy.wait_log(r"error role %s \d pid=%d hangs for \d+ s: it is ended"
                   % (role, pid), 60)
    wait_until(lambda: pid not in proxy.children(role)
               and len(proxy.children("worker")) == 2
               and len(proxy.children("push")) == 1, "another", 60)
    user = dovecot.user()
    for _ in range(8):
        proxy.session(user).ok("NOOP")
    wait_told(manager, "WATCHDOG=1")


def test_those_that_turn_are_left_alone(bell, dovecot, manager):
    proxy = bell(dovecot.port, "--workers", "2")
    pids = proxy.pids
    client = proxy.session(dovecot.user())
    wait_told(manager, "STATUS=serving, sessions=1 watched=0")
    client.ok("LOGOUT")
    wait_told(manager, "STATUS=serving, sessions=0 watched=0")
    for _ in range(2):
        wait_told(manager, "WATCHDOG=1")
    assert proxy.pids == pids
    assert "hangs" not in proxy.log()


@pytest.mark.parametrize("watchdog_s", [60])
def test_manager_hears_of_the_new_main_at_once(bell, dovecot, manager, mains):
    """The old one may have said that it lives half of the time ago: 30 s."""
    proxy = bell(dovecot.port, "--workers", "1")
    old = mains(proxy)
    old.upgrade()
    wait_told(manager, "MAINPID=%d" % old.pids[1])
    start = time.monotonic()
    wait_told(manager, "WATCHDOG=1")
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("watchdog_s", [24])
def test_time_that_all_have_missed_does_not_count(bell, dovecot, manager):
    """As when a machine is stopped, with main and all others."""
    proxy = bell(dovecot.port, "--workers", "2")
    pids = proxy.pids
    # Main says how it is whenever it has asked the others.
    wait_told(manager, "STATUS=serving, sessions=0 watched=0")
    client = proxy.session(dovecot.user())
    client.ok("NOOP")
    for pid in pids[1:]:
        os.kill(pid, signal.SIGSTOP)
    wait_told(manager, "STATUS=serving, sessions=1 watched=0")
    os.kill(pids[0], signal.SIGSTOP)
    time.sleep(12.5)  # they may be silent for 12 s
    forget(manager)
    os.kill(pids[0], signal.SIGCONT)
    wait_told(manager, "WATCHDOG=1")  # due, as is the look at the others
    for pid in pids[1:]:
        os.kill(pid, signal.SIGCONT)
    client.ok("NOOP")
    wait_told(manager, "WATCHDOG=1")
    assert proxy.pids == pids
    assert "hangs" not in proxy.log()
