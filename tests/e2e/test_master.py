# SPDX-License-Identifier: ISC
"""watch.login = "master": one login for all, and the proof that it is theirs."""
import base64
import subprocess

import pytest

from dovecot import Dovecot
from imap import Imap
from imapbell import ENVIRONMENT
from lmtp import message
from phone import Phone
from process import SLOW, next_second, wait_until
from relay import TO_SERVER, Relay
from test_ring import register, ring

WAKE_S = 120  # a first wake ring is due within half of it
KNOWN = "Until-then=58"
UNKNOWN = "Nobody-knows=37"


@pytest.fixture
def master(bell, tmp_path):
    """Makes an imapbell in front of |port| that has |name|'s login for all."""
    def call(port, name, password, style="authzid", **how):
        secret = tmp_path / "master"
        secret.write_text(password + "\nnot this\n")
        secret.chmod(0o600)
        return bell(port, "--watch-login", "master",
                    "-o", "watch.master_user=%s" % name,
                    "-o", "watch.master_password_file=%s" % secret,
                    "-o", "watch.master_style=%s" % style, **how)

    return call


def plain(user, name, password):
    return base64.b64encode(("%s\0%s\0%s" % (user, name, password)).encode())


@pytest.mark.parametrize("name, style", [
    ("dovecot_named", "authzid"), ("dovecot_named", "separator"),
    ("cyrus", "authzid")])
def test_password_is_not_needed(request, master, apple, name, style):
    """
    Rings without a password of the user's, which nobody knows any more, also
    what came while imapbell was killed; none is kept.
    """
    server = request.getfixturevalue(name)
    with Imap(server.port) as client:  # Cyrus makes an INBOX for the master
        client.command('LOGIN "%s" "%s"' % server.master)
    next_second()  # which is its UIDVALIDITY
    user, phone = server.user(), Phone()
    server.set_password(user, KNOWN)
    proxy = master(server.port, *server.master, style)
    client = proxy.connect()
    client.login(user, KNOWN)
    register(client, phone)
    client.logout()
    proxy.wait_log(r"watching user=%s$" % user)
    server.set_password(user, UNKNOWN)
    server.deliver(user, message())
    assert ring(apple, phone)[0]["body"] == phone.payload

    proxy.kill()
    server.deliver(user, message())
    proxy.start()
    assert len(ring(apple, phone, 2)) == 2

    assert not (proxy.state / "seal.key").exists()
    for path in proxy.state.iterdir():
        assert KNOWN.encode() not in path.read_bytes(), path


def test_master_has_an_inbox(master, folder, tls, apple):
    """The master may log in alone, and has an INBOX of his own."""
    server = Dovecot(folder / "dovecot-boss", tls, named=True)
    name, password = server.master
    try:
        server.set_password(name, password)
        with Imap(server.port) as client:
            client.login(name, password)
            client.ok("SELECT INBOX")
        next_second()
        user, phone = server.user(), Phone()
        proxy = master(server.port, name, password)
        client = proxy.session(user)
        register(client, phone)
        client.logout()
        proxy.wait_log(r"watch.master_user alone: has an INBOX")
        proxy.wait_log(r"watching user=%s$" % user)
        server.deliver(user, message())
        assert ring(apple, phone)[0]["body"] == phone.payload
    finally:
        server.stop()


def test_server_that_ignores_it(master, bell, courier, apple):
    """
    Courier gives the master's INBOX for everyone's: it is not watched, one
    error line says so, and the phones are rung to come and look.
    """
    boss = courier.user()
    with Imap(courier.port) as client:
        client.login(boss)
        client.ok("SELECT INBOX")
    next_second()
    user, phone = courier.user(), Phone()
    bell.allow(r'watch\.login = "master" does not work with this server')
    with Relay(courier.port) as relay:
        proxy = master(relay.port, boss, "pass")
        client = proxy.session(user)
        register(client, phone)
        proxy.wait_log(r" error watch .*ignores the authorization identity, "
                       r"user=%s was given the INBOX" % user)
        # Another one is not even tried.
        other, second = courier.user(), Phone()
        other_client = proxy.session(other)
        register(other_client, second)
        proxy.wait_log(r"not watched user=%s: watch\.login" % other)
        assert ring(apple, phone, seconds=WAKE_S)[0]["body"] == phone.payload
        # Mail flows on.
        courier.deliver(user, message())
        wait_until(lambda: b"* 1 EXISTS\r\n" in client.ok("SELECT INBOX"),
                   "the mail")
        for who in (user, other):
            secret = plain(who, boss, "pass")
            for link in relay.links:
                sent = link.octets(TO_SERVER)
                assert secret not in sent or b"EXAMINE" not in sent, sent
        assert plain(other, boss, "pass") not in b"".join(
            link.octets(TO_SERVER) for link in relay.links)
    assert proxy.log().count("ignores the authorization identity") == 1


@pytest.mark.long
def test_inbox_of_somebody_else(master, dovecot_named, apple):
    """Not the one that the user has shown: that user is rung, not watched."""
    server = dovecot_named
    user, phone = server.user(), Phone()
    proxy = master(server.port, *server.master)
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    proxy.wait_log(r"watching user=%s$" % user)
    proxy.kill()
    next_second()
    subprocess.run(["rm", "-r", server.folder / "home" / user / "Maildir"],
                   check=True)
    with Imap(server.port) as client:
        client.login(user)
        client.ok("SELECT INBOX")
    proxy.start()
    proxy.wait_log(r" warn watch\[\d+\] not watched user=%s: the INBOX" % user)
    ring(apple, phone, seconds=WAKE_S)
    # The phone comes, registers, and shows it.
    client = proxy.session(user)
    register(client, phone)
    start = len(proxy.log())
    client.logout()
    proxy.wait_log(r"watching user=%s$" % user)
    server.deliver(user, message())
    assert len(ring(apple, phone, 2)) == 2
    assert "wake ring" not in proxy.log()[start:]


def test_secret_is_wrong(master, dovecot_named):
    """Tried once for a user, and once more after that user's login."""
    server = dovecot_named
    user = server.user()
    secret = plain(user, server.master[0], "wrong")
    with Relay(server.port) as relay:
        def tries():
            return sum(link.octets(TO_SERVER).count(secret)
                       for link in relay.links)

        proxy = master(relay.port, server.master[0], "wrong")
        client = proxy.session(user)
        register(client, Phone())
        proxy.wait_log(r" warn watch\[\d+\] login rejected user=%s: " % user)
        register(client, Phone())  # no login
        client.logout()
        assert tries() == 1
        proxy.session(user).logout()
        wait_until(lambda: tries() == 2, "the second try")


def verdict_of(proxy):
    """What -t says to the same command line: (status, output)."""
    done = subprocess.run([*proxy.args, "-t"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          env=ENVIRONMENT, timeout=60 * SLOW)
    return done.returncode, done.stdout


@pytest.mark.parametrize("content, says", [
    (None, "No such file or directory"),
    ("\nsecond line\n", "the first line is empty"),
    ("nul\0inside\n", "the first line is no password")])
def test_password_file_is_wrong(bell, dovecot, tmp_path, content, says):
    """-t says 78; a start goes on without watching, and mail flows."""
    bell.allow(r"watch\.master_password_file")
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content)
    proxy = bell(dovecot.port, "--watch-login", "master",
                 "-o", "watch.master_user=master",
                 "-o", "watch.master_password_file=%s" % secret)
    proxy.wait_log(r" error push watch\.master_password_file: %s: %s.*nobody "
                   r"is watched" % (secret, says))
    user = dovecot.user()
    client = proxy.session(user)
    register(client, Phone())
    proxy.wait_log(r" warn watch\[\d+\] not watched user=%s: the password of "
                   r"watch\.master_user is missing" % user)
    client.ok("SELECT INBOX")
    status, output = verdict_of(proxy)
    assert status == 78, output
    assert "watch.master_password_file: %s: %s" % (secret, says) in output


def test_password_file_is_exposed(bell, dovecot, tmp_path):
    """Others can read it: a warning, no more."""
    secret = tmp_path / "secret"
    secret.write_text(dovecot.master[1])
    secret.chmod(0o644)
    proxy = bell(dovecot.port, "--watch-login", "master",
                 "-o", "watch.master_user=master",
                 "-o", "watch.master_password_file=%s" % secret)
    proxy.wait_log(r" warn push watch\.master_password_file %s: every user of "
                   r"this machine can read it" % secret)
    user = dovecot.user()
    register(proxy.session(user), Phone())
    proxy.wait_log(r"watching user=%s$" % user)
    assert verdict_of(proxy)[0] == 0
