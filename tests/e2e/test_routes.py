# SPDX-License-Identifier: ISC
"""
Users of two domains on two servers: each is served, watched and rung from the
own one, and what one of them suffers the other does not notice.
"""
import re
import subprocess
import time

import pytest

from dovecot import Dovecot
from imap import assert_ok, capabilities
from imapbell import COMMAND, ENVIRONMENT
from lmtp import message
from phone import Phone
from process import SLOW, Process
from test_ring import ring

DOMAIN = "south.example"


@pytest.fixture(scope="module")
def south(folder, tls):
    """The server of the users of that domain; a test may stop it."""
    server = Dovecot(folder / "south", tls)
    yield server
    server.stop()


def start(server):
    """Starts a Dovecot again that was stopped."""
    process = server.process
    server.process = Process(process.args, process.log)
    server.process.wait_listening(server.port, server.lmtp_port)


def routes(port):
    """The options for users of the domain at |port|."""
    return ("-o", 'routes=({domain="%s"; url="imap://127.0.0.1:%d";})'
            % (DOMAIN, port))


def user_of(server):
    return "%s@%s" % (server.user(), DOMAIN)


def tries(proxy, user):
    """The reply to one login, and the seconds that it took."""
    with proxy.connect() as client:
        began = time.monotonic()
        reply = client.command('LOGIN "%s" "pass"' % user)[-1]
        return reply, time.monotonic() - began


@pytest.mark.parametrize("name", ["dovecot", "courier"])
def test_served_watched_and_rung_from_the_own_server(request, bell, apple,
                                                     south, name):
    """The same name on both: two users, two mailboxes, two phones."""
    main = request.getfixturevalue(name)
    proxy = bell(main.port, *routes(south.port))
    users = {main: main.user(), south: user_of(south)}
    phones = {main: Phone(), south: Phone()}
    for server, user in users.items():
        with proxy.session(user) as client:
            client.ok(phones[server].command())
            client.ok("SELECT INBOX")
    proxy.wait_log("watching user=%s$" % users[main])
    proxy.wait_log("watching user=%s$" % users[south])
    for server, user in users.items():
        server.deliver(user, message("for " + user))
        assert ring(apple, phones[server])[0]["body"] == \
            phones[server].payload
        with proxy.session(user) as client:
            client.ok("SELECT INBOX")
            assert ("for " + user).encode() in client.fetch_body()
    assert len(phones[main].pushes(apple.requests)) == 1


def test_case_and_default_domain(bell, dovecot, south):
    """The domain in any case; a name without one has the default."""
    user = south.user()
    proxy = bell(dovecot.port, *routes(south.port),
                 "-o", "users.default_domain=%s" % DOMAIN.upper())
    for name in (user, "%s@South.Example" % user):
        proxy.session(name)
        proxy.wait_log(r"login user=\"%s\" result=ok backend=127.0.0.1:%d "
                       % (name, south.port))
    proxy.session("%s@elsewhere.example" % dovecot.user())
    proxy.wait_log(r"@elsewhere.example\" result=ok backend=127.0.0.1:%d "
                   % dovecot.port)


def test_no_route_is_a_failed_login(bell, south):
    """Without backend.url: refused as slowly and in the same words."""
    proxy = bell(south.port, "-b", "", *routes(south.port))
    user = south.user()
    reply, seconds = tries(proxy, user)
    with proxy.connect() as client:
        wrong = client.command('LOGIN "%s" "wrong"' % user_of(south))[-1]
    assert reply == wrong
    assert reply == b"a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
    assert seconds >= 1
    proxy.wait_log(r"login user=\"%s\" result=refused: no route" % user)
    proxy.session(user_of(south))


def test_listed_is_what_both_list(bell, courier, south):
    """Dovecot has AUTH=LOGIN, Courier has not, and any user may come."""
    proxy = bell(courier.port, *routes(south.port))
    for port in (courier.port, south.port):
        proxy.wait_known("127.0.0.1:%d" % port)
    with proxy.connect() as client:
        words = capabilities(client.command("CAPABILITY")[0])
        assert {word for word in words if word.startswith("AUTH=")} == {
            "AUTH=PLAIN"}
        assert "IDLE" in words and "QUOTA" not in words
        assert client.command("AUTHENTICATE LOGIN")[-1].startswith(b"a2 NO ")
        for user, how in ((courier.user(), "PLAIN"),
                          (user_of(south), "PLAIN-IR")):
            proxy.session(user, how)


def test_one_server_is_stopped_and_started(bell, apple, dovecot, south):
    """
    Its users are told at once, with one line in the log of each process that
    faces clients; the others notice nothing; when it is back all is as before
    without a restart.
    """
    bell.allow(" is down: ")
    proxy = bell(dovecot.port, *routes(south.port))
    main, away = dovecot.user(), user_of(south)
    phones = {main: Phone(), away: Phone()}
    for user, phone in phones.items():
        with proxy.session(user) as client:
            client.ok(phone.command())
        proxy.wait_log("watching user=%s$" % user)
    other = proxy.session(main)
    south.process.stop()
    try:
        down = "backend 127.0.0.1:%d is down: " % south.port
        waits = []
        while len(waits) < 30 or proxy.log().count(down) < proxy.facing:
            assert len(waits) < 300, "not noticed by all"
            reply, seconds = tries(proxy, away)
            assert b" NO [UNAVAILABLE] " in reply, reply
            waits.append(seconds)
        # A machine that is busy for a moment delays one or two of them.
        assert sorted(waits)[len(waits) * 9 // 10] < 1
        # Nobody else is concerned.
        assert_ok(other.command("NOOP")[-1])
        proxy.session(main)
        dovecot.deliver(main, message())
        ring(apple, phones[main])
        assert proxy.log().count(down) == proxy.facing
        assert len(re.findall(" error ", proxy.log())) == proxy.facing
        before = len(proxy.log())
    finally:
        start(south)
    proxy.wait_known("127.0.0.1:%d" % south.port, 60, before)
    proxy.session(away)
    # By a watcher that came back; a process that Dovecot had just made may
    # have outlived it, too.
    south.deliver(away, message())
    ring(apple, phones[away])
    assert proxy.log().count(down) == proxy.facing


def test_check_looks_at_each(tmp_path, dovecot, south, tls, nobody):
    """One line for each server and subject, which says of which."""
    (tmp_path / "state").mkdir()
    servers = [dovecot.port, south.port, nobody]
    listed = ",".join('{domain="d%d.example"; url="imap://127.0.0.1:%d";}'
                      % (port, port) for port in [*servers[1:], south.port])
    done = subprocess.run(
        [*COMMAND, "check", "-l", "imaps://127.0.0.1:0", "-b",
         "imap://127.0.0.1:%d" % dovecot.port, "-o",
         "routes=(%s)" % listed.replace("d%d.example" % south.port,
                                        "again.example", 1),
         "--tls-cert", tls.server_cert, "--tls-key", tls.server_key,
         "--state", tmp_path / "state", "--apns", "dry-run", "--apns-topic",
         "com.apple.mail.test"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        env=ENVIRONMENT, timeout=60 * SLOW, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    for port in servers:
        url = "imap://127.0.0.1:%d" % port
        about = [line for line in lines if url in line]
        if port == nobody:
            assert len(about) == 1
            assert about[0].startswith("FAIL  backend: " + url + ": ")
            assert "refused" in about[0]
        else:
            assert [line.split(": ")[0] for line in about] == [
                "ok    backend", "ok    client address",
                "ok    capabilities", "ok    watching"], lines


def test_error_names_the_route(tmp_path, dovecot, tls):
    """What is wrong with a route says with which."""
    done = subprocess.run(
        [*COMMAND, "-t", "-b", "imap://127.0.0.1:%d" % dovecot.port, "-o",
         'routes=({domain="a.example"; url="imap://a";}, {domain="b.example";'
         ' url="imaps://b"; ca="%s/none.pem";})' % tmp_path,
         "--tls-cert", tls.server_cert, "--tls-key", tls.server_key,
         "--state", tmp_path],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=ENVIRONMENT, timeout=60 * SLOW, check=False)
    assert done.returncode == 78, done.stderr
    assert "routes, entry 2 (b.example): ca: " in done.stderr
    assert "none.pem" in done.stderr
