# SPDX-License-Identifier: ISC
"""Sockets that a service manager opened (LISTEN_FDS)."""
import contextlib
import os
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from imap import Imap
from test_processes import DIED, kill_one


@pytest.fixture
def listening():
    """Makes listening sockets, blocking as those of systemd."""
    made = []

    def make(host="127.0.0.1", port=0, shared=False):
        sock = socket.socket()
        made.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(64)
        return sock

    yield make
    for sock in made:
        sock.close()


def port_of(sock):
    return sock.getsockname()[1]


def at(sock):
    """The options for a listener on |sock|."""
    return "-o", 'listen=("imaps://127.0.0.1:%d")' % port_of(sock)


def inodes(pids):
    """The sockets that processes have, by process."""
    found = {}
    for pid in pids:
        found[pid] = set()
        for link in Path("/proc/%d/fd" % pid).iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed just now
                found[pid].add(os.readlink(link))
    return found


def inode(sock):
    return "socket:[%d]" % os.fstat(sock.fileno()).st_ino


def talk(proxy, user, sessions=12):
    for _ in range(sessions):
        proxy.session(user).ok("NOOP")


@pytest.mark.parametrize("workers", ["0", "1", "4"])
def test_socket_is_taken_over(bell, dovecot, listening, workers):
    """One for all workers, and who came before it started waits in it."""
    sock = listening()
    user = dovecot.user()
    with socket.create_connection(sock.getsockname()):
        proxy = bell(dovecot.port, *at(sock), "--workers", workers,
                     handed=[(sock, "imaps")])
        assert proxy.port == port_of(sock)
        proxy.wait_log(r"listening url=imaps://127\.0\.0\.1:%d inherited=1$"
                       % proxy.port)
        talk(proxy, user)
    pids = proxy.children("worker") if workers != "0" else [proxy.pid]
    assert len(pids) == proxy.facing
    for pid, has in inodes(pids).items():
        assert inode(sock) in has, pid


def test_queued_connection_is_served(bell, dovecot, listening, tls):
    """It is accepted by nobody before imapbell is there."""
    sock, user, done = listening(), dovecot.user(), []

    def come():
        with closing(Imap(port_of(sock), tls.ca)) as client:
            client.login(user)
            done.append(client.ok("NOOP"))

    thread = threading.Thread(target=come)
    thread.start()
    bell(dovecot.port, *at(sock), handed=[(sock, "imaps")])
    thread.join()
    assert done


def test_more_sockets_than_workers_are_dealt_out(bell, dovecot, listening):
    """With ReusePort= the kernel queues connections in each of them."""
    first = listening(shared=True)
    socks = [first] + [listening(port=port_of(first), shared=True)
                       for _ in range(4)]
    proxy = bell(dovecot.port, *at(first), "--workers", "2",
                 handed=[(sock, "imaps") for sock in socks])
    talk(proxy, dovecot.user(), 40)
    has = inodes(proxy.children("worker"))
    counts = sorted(sum(inode(sock) in all_of_it for sock in socks)
                    for all_of_it in has.values())
    assert counts == [2, 3]


def test_fewer_that_may_be_shared_get_company(bell, dovecot, listening):
    sock = listening(shared=True)
    proxy = bell(dovecot.port, *at(sock), "--workers", "3",
                 handed=[(sock, "imaps")])
    talk(proxy, dovecot.user(), 40)
    has = inodes(proxy.children("worker"))
    assert sum(inode(sock) in all_of_it for all_of_it in has.values()) == 1


def test_two_families(bell, dovecot):
    """One socket for both is what ListenStream=993 makes."""
    both = socket.create_server(("::", 0), family=socket.AF_INET6,
                                dualstack_ipv6=True)
    with closing(both):
        proxy = bell(dovecot.port, "-o", 'listen=("imaps://127.0.0.1:0",'
                     '"imaps://*:%d")' % port_of(both), "--workers", "2",
                     handed=[(both, "imaps")])
        proxy.wait_log(r"listening url=imaps://\*:%d inherited=1$"
                       % port_of(both))
        user = dovecot.user()
        proxy.port = port_of(both)
        talk(proxy, user, 4)
        proxy.wait_log(r"session begin peer=127\.0\.0\.1:")


def test_what_matches_nothing_is_named(bell, dovecot, listening, tmp_path):
    useless, plain = listening("127.0.0.2"), socket.socket()
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(tmp_path / "socket"))
    other.listen()
    with closing(plain), closing(other):
        proxy = bell(dovecot.port, handed=[
            (useless, "pop3"), (plain, "plain"), (other, "local")])
    talk(proxy, dovecot.user(), 1)
    proxy.wait_log(
        r"warn role LISTEN_FDS: descriptor 3 \(pop3\) listens at "
        r"127\.0\.0\.2:%d, which no entry of `listen` names: closed"
        % port_of(useless))
    for fd, name in ((4, "plain"), (5, "local")):
        proxy.wait_log(r"warn role LISTEN_FDS: descriptor %d \(%s\) is no "
                       r"listening TCP socket: closed" % (fd, name))


def test_sockets_of_another_process_are_not_touched(bell, dovecot, listening):
    """LISTEN_PID says who is meant: a shell in between that does not exec."""
    sock = listening()
    proxy = bell(dovecot.port)
    proxy.stop()
    proxy.args[:0] = ["sh", "-c", 'LISTEN_PID=1 LISTEN_FDS=1 exec "$@"', "sh"]
    proxy.start()
    assert "LISTEN_FDS" not in proxy.log()
    talk(proxy, dovecot.user(), 1)
    assert sock


@pytest.mark.parametrize("workers", ["0", "2"])
def test_descriptors_that_are_not_open_are_not_listened_for(
        bell, dovecot, workers):
    """They have the numbers of those that imapbell opens itself."""
    proxy = bell(dovecot.port, "--workers", workers)
    proxy.stop()
    proxy.args[:0] = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=9 exec "$@"', "sh"]
    proxy.start()
    talk(proxy, dovecot.user(), 1)
    assert "LISTEN_FDS" not in proxy.log()


def test_replacement_has_the_same_socket(bell, dovecot, listening):
    bell.allow(DIED)
    sock = listening()
    proxy = bell(dovecot.port, *at(sock), "--workers", "1",
                 handed=[(sock, "imaps")])
    kill_one(proxy, "worker")
    talk(proxy, dovecot.user(), 4)
    (has,) = inodes(proxy.children("worker")).values()
    assert inode(sock) in has
