# SPDX-License-Identifier: ISC
"""
backend.forward: the server learns the client's address, from nobody but
imapbell; and where the two do not fit together one line says so.
"""
import re

import pytest

from imap import Imap, assert_ok
from phone import Phone
from process import wait_until
from relay import TO_SERVER, Relay

CLIENT = "127.0.0.77"  # of the loopback network, and not imapbell's
BY_TLS = "127.0.0.78"  # whom Dovecot lets in by TLS only, see dovecot_trusting


def forward(way):
    return "-o", "backend.forward=%s" % way


def url(scheme, port):
    return "%s://localhost:%d" % (scheme, port)


def login_line(server, user, count=1):
    """The |count|-th login of |user| in the server's own log."""
    return wait_until(lambda: server.logins(user)[count - 1:count],
                      "a login of %s in the log" % user)[0]


WAYS = {
    "none": ("none", "imap", "port"),
    "proxy_v1": ("proxy-v1", "imap", "proxied_port"),
    "proxy_v1_tls": ("proxy-v1", "imaps", "proxied_tls_port"),
    "proxy_v2": ("proxy-v2", "imap", "proxied_port"),
    "proxy_v2_tls": ("proxy-v2", "imaps", "proxied_tls_port"),
    "proxy_v2_starttls": ("proxy-v2", "imap+starttls", "proxied_port"),
    "id": ("id", "imap", "port"),
    "id_tls": ("id", "imaps", "tls_port"),
    "id_starttls": ("id", "imap+starttls", "port"),
}


@pytest.fixture
def proxied(bell, dovecot_trusting, tls):
    """An imapbell that forwards in that way, from WAYS."""
    def start(name):
        way, scheme, port = WAYS[name]
        return bell(url(scheme, getattr(dovecot_trusting, port)),
                    "--backend-ca", tls.ca, *forward(way))

    return start


@pytest.mark.parametrize("how", ["LOGIN", "PLAIN", "PLAIN-IR"])
@pytest.mark.parametrize("way", [
    pytest.param(way, marks=pytest.mark.smoke if way == "proxy_v2_tls" else ())
    for way in WAYS])
def test_the_server_sees_the_client(proxied, dovecot_trusting, way, how):
    user = dovecot_trusting.user()
    client = proxied(way).connect(source=CLIENT)
    port = client.sock.getsockname()[1]
    client.login(user, how=how)
    client.ok("NOOP")
    line = login_line(dovecot_trusting, user)
    assert ("rip=%s," % (CLIENT if way != "none" else "127.0.0.1")) in line
    assert ("TLS" in line) == way.endswith("tls")
    assert ("session=<imapbell-" in line) == way.startswith("id")
    assert port > 0


def test_the_server_knows_that_the_client_came_by_tls(
        bell, dovecot_trusting):
    """As stock Dovecots do, this one lets that client in by TLS only, and has
    no TLS itself here."""
    user = dovecot_trusting.user()
    proxy = bell(url("imap", dovecot_trusting.proxied_port),
                 "-l", "imap://127.0.0.1:0", *forward("proxy-v2"))
    client = proxy.connect(source=BY_TLS)
    client.login(user)
    client.ok("NOOP")
    assert "rip=%s," % BY_TLS in login_line(dovecot_trusting, user)
    port = int(proxy.wait_log(r"url=imap://127\.0\.0\.1:(\d+)")[1])
    with Imap(port, source=BY_TLS) as plain:
        assert b"PRIVACYREQUIRED" in plain.command("LOGIN %s pass" % user)[-1]


def test_the_session_is_found_in_both_logs(proxied, dovecot_trusting):
    user = dovecot_trusting.user()
    bell = proxied("id")
    bell.connect(source=CLIENT).login(user)
    line = login_line(dovecot_trusting, user)
    number = re.search(r"session=<imapbell-(\d+)>", line)[1]
    bell.wait_log(r'proxy\[%s\] login user="%s" result=ok' % (number, user))


@pytest.mark.parametrize("way", ["proxy_v1", "proxy_v2_tls", "id"])
def test_a_watcher_is_ours(proxied, dovecot_trusting, apple, way):
    """What imapbell does for itself comes from imapbell."""
    user = dovecot_trusting.user()
    bell = proxied(way)
    client = bell.connect(source=CLIENT)
    client.login(user)
    phone = Phone("a")
    assert_ok(client.command(phone.command())[-1])
    bell.wait_log(r"watching user=%s" % user)
    login_line(dovecot_trusting, user, 2)
    # Each of the server's processes has a pipe to its log.
    ours, theirs = sorted(dovecot_trusting.logins(user),
                          key=lambda line: CLIENT in line)
    assert "rip=%s," % CLIENT in theirs
    assert CLIENT not in ours
    assert "session=<imapbell-" not in ours


FOREIGN = {
    "quoted": b'("x-originating-ip" "6.6.6.6" "x-session-id" "evil")',
    "mixed_case": b'("X-Originating-IP" "6.6.6.6" "X-SESSION-ID" "evil")',
    "atoms": b"(x-originating-ip 6.6.6.6 x-session-id evil)",
    "literals": b'({16+}\r\nx-originating-ip {7+}\r\n6.6.6.6 '
                b'{12+}\r\nX-Session-ID "evil")',
    "escapes": b'("\\x-originating\\-ip" "6.6.6.6" "x-session-\\id" "evil")',
    "everything": b'("x-originating-ip" "6.6.6.6" "X-Session-Id" "evil" '
                  b'"x-multiplex" "0" "x-forward-foo" "1" "name" "ok")',
}


@pytest.mark.parametrize("ids", [1, 2])
@pytest.mark.parametrize("way", ["none", "proxy_v2", "id"])
@pytest.mark.parametrize("words", FOREIGN)
def test_nobody_else_can_say_it(proxied, dovecot_trusting, words, way, ids):
    """This server believes imapbell, and whatever imapbell passes on."""
    user = dovecot_trusting.user()
    client = proxied(way).connect(source=CLIENT)
    for _ in range(ids):
        responses = client.command(b"ID " + FOREIGN[words])
        assert responses[0] == b"* ID NIL\r\n"
        assert_ok(responses[-1])
    client.login(user)
    client.command(b"ID " + FOREIGN[words])
    client.ok("NOOP")
    line = login_line(dovecot_trusting, user)
    assert "6.6.6.6" not in line and "evil" not in line, line
    assert ("rip=%s," % (CLIENT if way != "none" else "127.0.0.1")) in line


def test_the_name_of_the_client_is_passed_on(bell, dovecot_trusting):
    """Behind ours, and nothing else of it; ours is first on the connection and
    in one piece with the login."""
    with Relay(dovecot_trusting.port) as relay:
        proxy = bell(relay.port, *forward("id"))
        proxy.wait_known()
        client = proxy.connect(source=CLIENT)
        client.ok(b"ID " + FOREIGN["everything"])
        client.login(dovecot_trusting.user())
        link = relay.link(rb"LOGIN")
        sent = next(data for _, data in link.chunks[TO_SERVER]
                    if b"LOGIN" in data).splitlines()
        link = link.octets(TO_SERVER)
    assert len(sent) == 3, sent
    assert re.match(rb'I0 ID \("name" "imapbell" "version" "[^"]+" '
                    rb'"x-originating-ip" "127\.0\.0\.77" '
                    rb'"x-originating-port" "\d+" '
                    rb'"x-connected-ip" "127\.0\.0\.1" '
                    rb'"x-connected-port" "\d+" '
                    rb'"x-session-id" "imapbell-\d+" '
                    rb'"x-proxy-ttl" "4"\)$', sent[0]), sent
    assert sent[1] == b'I1 ID ("name" "ok")'
    assert link.startswith(sent[0])


def test_also_without_ours(bell, dovecot):
    with Relay(dovecot.port) as relay:
        proxy = bell(relay.port)
        proxy.wait_known()
        client = proxy.connect()
        client.ok('ID ("name" "Mail" "x-foo" "1" "version" NIL)')
        client.login(dovecot.user())
        sent = relay.link(rb"LOGIN").octets(TO_SERVER).splitlines()
    assert sent[0] == b'I1 ID ("name" "Mail" "version" NIL)'


@pytest.mark.parametrize("command, passed", [
    (b'ID ("name" "Mail"  "os" "x")', None),
    (b'id ("Name" "caf\xc3\xa9")', None),
    (b'ID NIL', None),
    (b'ID ("name" "Mail" "X-Foo" "1")', b'ID ("name" "Mail")'),
    (b'ID ("x-foo" "1")', b'ID NIL'),
    (b'ID ("name" {4+}\r\nMail)', b'ID ("name" "Mail")'),
], ids=["as_it_came", "also_8_bit", "nil", "stripped", "all_of_it",
        "literal"])
def test_an_id_after_the_login(bell, dovecot, command, passed):
    with Relay(dovecot.port) as relay:
        client = bell(relay.port).session(dovecot.user())
        client.command(command, "t1")
        client.ok("NOOP", "t2")
        link = relay.link(rb"t2 NOOP")
        sent = re.search(rb"(?s)t1 (.*)\r\nt2 ", link.octets(TO_SERVER))[1]
    assert sent == (passed or command)


@pytest.mark.parametrize("words", [
    b"(" + b" ".join(b'"k%d" "v"' % i for i in range(31)) + b")",
    b'("name" "%s")' % (b"v" * 1025),
    b'("%s" "v")' % (b"k" * 31),
    b'("name")',
    b'"name" "Mail"',
], ids=["31_pairs", "1025_octets", "key_of_31", "no_value", "no_list"])
def test_what_no_id_may_be(bell, dovecot, words):
    client = bell(dovecot.port).connect()
    assert client.command(b"ID " + words)[-1].startswith(b"a1 BAD ")
    client.login(dovecot.user())
    assert client.command(b"ID " + words)[-1].startswith(b"a3 BAD ")
    client.ok("NOOP")


def test_a_loop_ends(bell, dovecot_trusting):
    """Each of them counts down: the sixth would be one too many."""
    port = dovecot_trusting.port
    user = dovecot_trusting.user()
    bells = []
    for _ in range(5):
        bells.append(bell(url("imaps", port), "--backend-ca", bell.tls.ca,
                          *forward("id"))
                     if bells else bell(port, *forward("id")))
        port = bells[-1].port
    bells[3].session(user)
    answer = bells[4].connect().command("LOGIN %s pass" % user)[-1]
    assert answer.startswith(b"a1 NO [UNAVAILABLE]"), answer
    bells[0].wait_log("a proxy loop")
    wait_until(lambda: len(dovecot_trusting.logins(user)) == 1, "one login")


# --- what does not fit together ---------------------------------------------

MISMATCHES = {
    "v1_to_plain": ("proxy-v1", "imap", "port",
                    "does this port expect a PROXY header"),
    "v2_to_plain": ("proxy-v2", "imap", "port",
                    "does this port expect a PROXY header"),
    "v2_to_starttls": ("proxy-v2", "imap+starttls", "port",
                       "does this port expect a PROXY header"),
    "v1_to_tls": ("proxy-v1", "imaps", "tls_port",
                  "does this port expect a PROXY header"),
    "v2_to_tls": ("proxy-v2", "imaps", "tls_port",
                  "does this port expect a PROXY header"),
    "none_to_proxied": ("none", "imap", "proxied_port",
                        "or does it expect a PROXY header"),
    "none_to_proxied_tls": ("none", "imaps", "proxied_tls_port",
                            "or does it expect a PROXY header"),
    "tls_to_plain": ("none", "imaps", "port", "a port without TLS"),
    "plain_to_tls": ("none", "imap", "tls_port", "is this a TLS port"),
    "v2_plain_to_tls": ("proxy-v2", "imap", "proxied_tls_port",
                        "is this a TLS port"),
    "v1_plain_to_tls": ("proxy-v1", "imap", "tls_port",
                        "TLS"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_mismatch_has_its_line(bell, dovecot, tls, name):
    """Once from each process, with the likely cause, and logins are answered
    at once: nobody dials for 10 s."""
    way, scheme, port, says = MISMATCHES[name]
    bell.allow("backend .* is down")
    proxy = bell(url(scheme, getattr(dovecot, port)), "--backend-ca", tls.ca,
                 *forward(way))
    line = proxy.wait_log_each(r"error .*backend \S+ is down: (.*)")[1]
    assert says in line, line
    assert proxy.connect(seconds=9).command("LOGIN x y")[-1].startswith(
        b"a1 NO [UNAVAILABLE]")
    assert proxy.log().count("is down") == proxy.facing
    assert proxy.log().count(says) == proxy.facing


def test_a_server_without_id(bell, courier):
    bell.allow("has no ID")
    proxy = bell(courier.port, *forward("id"))
    proxy.wait_log_each(r"error .*has no ID: backend\.forward")
    proxy.session(courier.user())
    assert proxy.log().count("has no ID") == proxy.facing
