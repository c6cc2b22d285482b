# SPDX-License-Identifier: ISC
"""
Logins: every form and every mechanism; that the name imapbell believes is the
one the server authenticates; and what cannot work through a proxy.
"""
import base64
import re
import sqlite3
from contextlib import closing

import pytest

import sasl
from conftest import UNPACKED
from cyrus import Cyrus
from dovecot import Dovecot
from imap import Closed, Imap, assert_ok, capabilities
from lmtp import message
from phone import Phone
from relay import TO_CLIENT, TO_SERVER, Relay
from test_ring import register, ring

WAKE_S = 120  # a first wake ring is due within half of it
MECHANISMS = ("LOGIN", "LOGIN-IR", "PLAIN", "PLAIN-IR", "XOAUTH2", "XOAUTH2-IR",
              "OAUTHBEARER", "OAUTHBEARER-IR", "CRAM-MD5", "SCRAM-SHA-1",
              "SCRAM-SHA-1-IR", "SCRAM-SHA-256", "SCRAM-SHA-256-IR")
NO_PUSH = ("-o", "push.enabled=false")

# Each in pieces, before each but the first of which "+" is waited for; |u| and
# |p| are the name and the password.
FORMS = {
    "atoms": [b"LOGIN %(u)s %(p)s\r\n"],
    "small letters": [b"login %(u)s %(p)s\r\n"],
    "quoted": [b'LOGIN "%(u)s" "%(p)s"\r\n'],
    "atom, quoted": [b'LOGIN %(u)s "%(p)s"\r\n'],
    "literals": [b"LOGIN {%(un)d}\r\n", b"%(u)s {%(pn)d}\r\n", b"%(p)s\r\n"],
    "literals at once": [b"LOGIN {%(un)d+}\r\n%(u)s {%(pn)d+}\r\n%(p)s\r\n"],
    "both kinds": [b"LOGIN {%(un)d+}\r\n%(u)s {%(pn)d}\r\n", b"%(p)s\r\n"],
    "literal, quoted": [b'LOGIN {%(un)d}\r\n', b'%(u)s "%(p)s"\r\n'],
    "quoted, literal": [b'LOGIN "%(u)s" {%(pn)d+}\r\n%(p)s\r\n'],
}


def say(client, pieces, user, password="pass", tag="x"):
    """A LOGIN as in FORMS; returns its reply."""
    user, password = user.encode(), password.encode()
    names = {b"u": user, b"p": password, b"un": len(user),
             b"pn": len(password)}
    for i, piece in enumerate(pieces):
        if i > 0:
            assert client.response().startswith(b"+")
        client.send((tag.encode() + b" " if i == 0 else b"") + piece % names)
    return client.until(tag)[-1]


def messages(server, user, password):
    """How many |user| has in the INBOX, asked without imapbell."""
    with Imap(server.port) as direct:
        sasl.login(direct, "PLAIN", user, password)
        return int(re.search(rb"MESSAGES (\d+)", direct.ok(
            "STATUS INBOX (MESSAGES)")[0])[1])


def is_session_of(server, client, user, password="pass"):
    """What |client| appends is in the INBOX of |user|."""
    before = messages(server, user, password)
    client.append("INBOX", message())
    return messages(server, user, password) == before + 1


def believed(proxy, user):
    """The log says that |user| is who logged in, and nobody else."""
    return re.findall(r'login user="(.*)" result=ok', proxy.log()) == [user]


@pytest.mark.parametrize("form", FORMS)
def test_login_in_every_form(bell, server, form):
    user, proxy = server.user(), bell(server.port)
    client = proxy.connect()
    assert_ok(say(client, FORMS[form], user))
    assert believed(proxy, user)
    assert is_session_of(server, client, user)


@pytest.fixture(scope="module")
def dovecot_odd(folder, tls):
    """One where users may be called anything."""
    server = Dovecot(folder / "dovecot-odd", tls, named=True,
                     extra="auth_username_chars =\n"
                           "auth_username_format =\n")
    yield server
    server.stop()


@pytest.mark.parametrize("how", ["quoted", "literals", "PLAIN-IR", "LOGIN",
                                 "SCRAM-SHA-1"])
@pytest.mark.parametrize("user, password", [
    ("spa ce", 'p"w'), ("bra{3}ce", "p\\\\w"), ("per%cent", " p w{2+}"),
    ("a,b=c", "=2C"), ("j\u00fcrgen", "\u00fc\u20ac"),
], ids=range(5))
def test_odd_names_and_passwords(bell, dovecot_odd, user, password, how):
    server, proxy = dovecot_odd, bell(dovecot_odd.port, *NO_PUSH)
    server.set_password(user, password)
    client = proxy.connect()
    if how == "quoted":
        assert_ok(say(client, FORMS[how], user,
                      re.sub(r'(["\\])', r"\\\1", password)))
    elif how == "literals":
        assert_ok(say(client, FORMS[how], user, password))
    else:
        sasl.login(client, how, user, password)
    assert believed(proxy, user)
    assert is_session_of(server, client, user, password)


def test_a_name_ends_where_we_think(bell, server):
    """Courier takes what follows a line end in the name for the password."""
    user, proxy = server.user(), bell(server.port)
    client = proxy.connect()
    reply = say(client, FORMS["literals"], user + "\npass", "x")
    assert reply.startswith(b"x BAD "), reply
    reply = sasl.authenticate(client, "PLAIN", initial=sasl.plain(
        user + "\npass", "x"))[-1]
    assert reply.startswith(b"x BAD "), reply
    client.login(user)
    assert believed(proxy, user)


@pytest.mark.parametrize("password", [
    b"", b"pass\r\nx LOGOUT", b"pass\r\nx LOGOUT\r\n", b"pass\n",
    "\u00fcp\u20ac".encode(), b"\0"], ids=range(6))
def test_wrong_passwords_are_passwords(bell, server, password):
    """No octet of them is ever a command, on any server."""
    user, proxy = server.user(), bell(server.port)
    client = proxy.connect()
    client.send(b"a LOGIN %s {%d+}\r\n%s\r\n" % (
        user.encode(), len(password), password))
    reply = client.response()
    assert re.match(rb"a (NO|BAD) ", reply), reply
    assert client.command("NOOP", tag="b") == [b"b OK NOOP completed.\r\n"]
    client.login(user)
    assert believed(proxy, user)


def test_refused_literals_leave_the_stream_in_step(bell, server):
    proxy, user = bell(server.port), server.user()
    client = proxy.connect()
    assert re.match(rb"a (NO|BAD) ", client.command(
        "LOGIN {99999}", tag="a")[-1])
    client.ok("NOOP")
    client.send(b"a LOGIN %s {40000+}\r\nx LOGOUT\r\n%s\r\nb NOOP\r\n"
                % (user.encode(), b"p" * (40000 - 10)))
    assert re.match(rb"a (NO|BAD) ", client.until("a")[-1])
    assert client.until("b") == [b"b OK NOOP completed.\r\n"]
    client.login(user)


@pytest.mark.parametrize("how", MECHANISMS)
def test_mechanisms(bell, dovecot, how):
    """Of Dovecot's; without push nothing needs the password."""
    user, proxy = dovecot.user(), bell(dovecot.port, *NO_PUSH)
    proxy.wait_known()
    client = proxy.connect()
    word = "AUTH=" + how.removesuffix("-IR")
    assert word in capabilities(client.greeting)
    assert word in capabilities(client.ok("CAPABILITY")[0])
    sasl.login(client, how, user)
    assert believed(proxy, user)
    assert is_session_of(dovecot, client, user)


@pytest.fixture(scope="module")
def cyrus_sasl(folder):
    """A Cyrus with everything that libsasl2 has."""
    server = Cyrus(folder / "cyrus-sasl", UNPACKED / "cyrus-imapd",
                   mechanisms="PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM "
                              "SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512")
    yield server
    server.stop()


@pytest.mark.parametrize("how", ["PLAIN", "LOGIN", "LOGIN-IR", "CRAM-MD5",
                                 "SCRAM-SHA-1-IR", "SCRAM-SHA-256",
                                 "SCRAM-SHA-512-IR"])
def test_mechanisms_of_cyrus(bell, cyrus_sasl, how):
    user, proxy = cyrus_sasl.user(), bell(cyrus_sasl.port, *NO_PUSH)
    proxy.wait_known()
    client = proxy.connect()
    shown = [word for word in capabilities(client.ok("CAPABILITY")[0])
             if word.startswith("AUTH=")]
    assert "AUTH=" + how.removesuffix("-IR") in shown
    assert not {"AUTH=DIGEST-MD5", "AUTH=NTLM"} & set(shown)
    sasl.login(client, how, user)
    assert believed(proxy, user)
    assert is_session_of(cyrus_sasl, client, user)


@pytest.mark.parametrize("how", ["EXTERNAL", "GSSAPI", "DIGEST-MD5", "NTLM",
                                 "KERBEROS_V4", "GS2-KRB5", "ANONYMOUS",
                                 "SCRAM-SHA-1-PLUS", "XUNKNOWN"])
def test_what_cannot_work_is_refused(bell, cyrus_sasl, how):
    """Without asking the server; its response is no command."""
    with Relay(cyrus_sasl.port) as relay:
        proxy = bell(relay.port, *NO_PUSH)
        proxy.wait_known()
        client = proxy.connect()
        before = len(relay.links)
        client.send(b"a AUTHENTICATE %s\r\nAHUxAHB3\r\nb NOOP\r\n"
                    % how.encode())
        assert client.until("a")[-1].startswith(b"a NO ")
        assert [r.split()[0] for r in client.until("b")] == [b"*", b"b"]
        assert len(relay.links) == before


def test_where_passwords_are_sealed_none_is_hidden(bell, dovecot):
    with Relay(dovecot.port) as relay:
        proxy = bell(relay.port)
        proxy.wait_known()
        client = proxy.session(dovecot.user())
        shown = [word for word in capabilities(client.ok("CAPABILITY")[0])
                 if word.startswith("AUTH=")]
        client = proxy.connect()
        shown += [word for word in capabilities(client.greeting)
                  + capabilities(client.ok("CAPABILITY")[0])
                  if word.startswith("AUTH=")]
        assert set(shown) == {"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=XOAUTH2",
                              "AUTH=OAUTHBEARER"}
        before = len(relay.links)
        for how in ("CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            assert client.command("AUTHENTICATE " + how, tag="a")[-1] == (
                b"a NO Unsupported authentication mechanism.\r\n")
            client = proxy.connect()
        assert len(relay.links) == before


def greets(*mechanisms):
    """A server of the tests with these, that lets nobody in."""
    words = b"IMAP4rev1 SASL-IR " + b" ".join(
        b"AUTH=" + name.encode() for name in mechanisms)

    def script(peer):
        peer.send(b"* OK [CAPABILITY %s] hello\r\n" % words)
        while True:
            tag, verb = peer.line().split()[:2]
            if verb == b"CAPABILITY":
                peer.send(b"* CAPABILITY %s\r\n" % words)
                peer.send(tag + b" OK done\r\n")
            else:
                peer.send(tag + b" NO no\r\n")

    return script


def test_no_scram_where_there_is_channel_binding(bell):
    """RFC 5802 section 6: the server would take it for a downgrade."""
    with Relay(None, greets("PLAIN", "SCRAM-SHA-256",
                            "SCRAM-SHA-256-PLUS")) as relay:
        proxy = bell(relay.port, *NO_PUSH)
        proxy.wait_known()
        client = proxy.connect()
        shown = capabilities(client.ok("CAPABILITY")[0])
        assert [word for word in shown if word.startswith("AUTH=")] == [
            "AUTH=PLAIN"]
        for how in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
            assert client.command("AUTHENTICATE " + how, tag="a")[-1] == (
                b"a NO Unsupported authentication mechanism.\r\n")


def test_tokens_that_are_refused(bell, dovecot):
    """The server's reason is passed on, and the client goes on with another."""
    user, proxy = dovecot.user(), bell(dovecot.port)
    client = proxy.connect()
    bad = sasl.jwt(user, seconds=-100)
    for how, text, answer in (
            ("XOAUTH2", sasl.xoauth2(user, bad), b""),
            ("OAUTHBEARER", sasl.oauthbearer(user, bad), b"\1")):
        reasons = []

        def reason(challenge):
            reasons.append(challenge)
            return answer

        responses = sasl.authenticate(client, how, reason, initial=text)
        assert responses[-1].startswith(b"x NO [AUTHENTICATIONFAILED]")
        assert b"status" in reasons[0], reasons
    sasl.login(client, "XOAUTH2-IR", user)
    assert believed(proxy, user)


def test_tokens_are_for_their_user(bell, dovecot):
    """Whose name is in the message but not in the token does not get in."""
    user, other = dovecot.user(), dovecot.user()
    client = bell(dovecot.port).connect()
    responses = sasl.authenticate(
        client, "OAUTHBEARER", b"\1",
        initial=sasl.oauthbearer(other, sasl.jwt(user)))
    assert responses[-1].startswith(b"x NO ")


@pytest.mark.parametrize("in_line", [True, False])
def test_long_tokens(bell, in_line):
    """64 KiB reach the server; Dovecot itself stops at 8."""
    got = []

    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n")
        while True:
            line = peer.line().split()
            if line[1] == b"AUTHENTICATE":
                peer.send(b"+ \r\n")
                got.append(base64.b64decode(peer.line()))
            if line[1] == b"CAPABILITY":
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n")
            peer.send(line[0] + b" OK done\r\n")

    text = sasl.xoauth2("user", b"t" * 65536)
    with Relay(None, script) as relay:
        client = bell(relay.port).connect()
        if in_line:
            sasl.authenticate(client, "XOAUTH2", initial=text)
        else:
            sasl.authenticate(client, "XOAUTH2", text)
    assert got == [text]


def test_cancelled_at_each_step(bell, dovecot):
    proxy = bell(dovecot.port, *NO_PUSH)
    client, user = proxy.connect(), dovecot.user()
    scram = sasl.Scram(user, "pass", "sha1")
    for how, *steps in (
            ("PLAIN", None), ("LOGIN", None), ("LOGIN", b"user", None),
            ("XOAUTH2", None), ("OAUTHBEARER", None), ("CRAM-MD5", None),
            ("SCRAM-SHA-1", None), ("SCRAM-SHA-1", scram.first, None),
            ("SCRAM-SHA-1", scram.first, scram.final, None)):
        responses = sasl.authenticate(client, how, *steps)
        assert responses[-1].startswith(b"x BAD "), (how, responses)
        assert all(r.startswith(b"+") for r in responses[:-1])
    bad = sasl.xoauth2(user, sasl.jwt(user, seconds=-100))
    assert sasl.authenticate(client, "XOAUTH2", None,
                             initial=bad)[-1].startswith(b"x BAD ")
    sasl.login(client, "SCRAM-SHA-256", user)
    client.ok("NOOP")
    assert believed(proxy, user)


def test_a_wrong_password_by_proof(bell, dovecot):
    proxy = bell(dovecot.port, *NO_PUSH)
    client, user = proxy.connect(), dovecot.user()
    scram = sasl.Scram(user, "wrong", "sha256")
    for how, *steps in (("CRAM-MD5", sasl.cram_md5(user, "wrong")),
                        ("SCRAM-SHA-256", scram.first, scram.final)):
        responses = sasl.authenticate(client, how, *steps)
        assert responses[-1] == (
            b"x NO [AUTHENTICATIONFAILED] Authentication failed.\r\n")
    sasl.login(client, "CRAM-MD5", user)
    assert believed(proxy, user)


def stored(proxy):
    """Every user of whom the database says something."""
    with closing(sqlite3.connect("file:%s/imapbell.db?mode=ro"
                                 % proxy.state, uri=True)) as store:
        return {bytes(row[0]).decode() for table in (
            "registration", "state", "login")
            for row in store.execute("SELECT user FROM " + table)}


@pytest.mark.parametrize("name", ["courier", "cyrus"])
def test_a_foreign_authzid_rings_for_nobody(request, bell, name):
    """
    Courier ignores it and opens the INBOX of who said the password; Cyrus lets
    its proxyserver in. Neither is registered, sealed or watched.
    """
    server = request.getfixturevalue(name)
    other = server.user()
    user, password = (server.user(), "pass") if name == "courier" \
        else server.master
    proxy = bell(server.port)
    client = proxy.connect()
    client.ok("CAPABILITY")
    assert_ok(sasl.authenticate(client, "PLAIN", initial=sasl.plain(
        user, password, authzid=other))[-1])
    proxy.wait_log(r'login user="%s" result=ok .*push=no' % user)
    assert "XAPPLEPUSHSERVICE" not in capabilities(client.ok("CAPABILITY")[0])
    assert client.command(Phone().command())[-1].split()[1] == b"BAD"
    assert is_session_of(server, client,
                         user if name == "courier" else other)
    client.logout()
    # Somebody else, as usual: what was to be written before is written.
    third, phone = server.user(), Phone()
    client = proxy.session(third)
    register(client, phone)
    proxy.wait_log(r"watching user=%s$" % third)
    assert stored(proxy) == {third}
    assert not re.search(r"watching user=(%s|%s)$" % (user, other),
                         proxy.log(), re.M)


def login_row(proxy, user):
    with closing(sqlite3.connect("file:%s/imapbell.db?mode=ro"
                                 % proxy.state, uri=True)) as store:
        return store.execute("SELECT * FROM login WHERE user = ?",
                             (user.encode(),)).fetchall()


def test_a_token_is_not_sealed(bell, dovecot, apple):
    """A phone that never says a password is rung now and then."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port)
    client = proxy.connect()
    sasl.login(client, "XOAUTH2-IR", user)
    register(client, phone)
    client.logout()
    proxy.wait_log(r"not watched user=%s: no login is stored" % user)
    # Who has just been here is not rung at first; others are.
    proxy.kill()
    proxy.start()
    assert ring(apple, phone, seconds=WAKE_S)[0]["body"] == phone.payload
    assert "wake ring user=%s devices=1" % user in proxy.log()
    assert login_row(proxy, user) == []
    assert "watching user=" not in proxy.log()


def test_a_token_does_not_replace_a_password(bell, dovecot, apple):
    user, phone, other = dovecot.user(), Phone(), Phone()
    proxy = bell(dovecot.port)
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    proxy.wait_log(r"watching user=%s$" % user)
    before = login_row(proxy, user)
    assert len(before) == 1
    client = proxy.connect()
    sasl.login(client, "OAUTHBEARER", user)
    register(client, other)
    client.logout()
    dovecot.deliver(user, message())
    ring(apple, phone)
    ring(apple, other)
    assert login_row(proxy, user) == before


LINES = {
    "LOGIN": (b'LOGIN "%(u)s" "pass"', None),
    "PLAIN": (b"AUTHENTICATE PLAIN %(plain)s", "dovecot"),
    "LOGIN, much behind it": (
        b'LOGIN "%(u)s" "pass"\r\nb NOOP\r\nc EXAMINE INBOX\r\nd NOOP', None),
    "PLAIN, much behind it": (
        b"AUTHENTICATE PLAIN %(plain)s\r\nb NOOP\r\nc EXAMINE INBOX\r\nd NOOP",
        "dovecot"),
}


@pytest.mark.parametrize("line", LINES)
def test_one_round_trip(bell, server, line):
    """
    Behind a relay that delays the server by 40 ms: between the greeting and the
    verdict there is one segment, with all of the login and nothing else.
    """
    text, only = LINES[line]
    if "PLAIN" in line and server.name == "courier":
        pytest.skip("has no SASL-IR")
    user = server.user()
    with Relay(server.port) as relay:
        proxy = bell(relay.port)
        proxy.wait_known()
        relay.delay[TO_CLIENT] = 0.04
        client = proxy.connect()
        plain = base64.b64encode(sasl.plain(user, "pass"))
        client.send(b"a " + text % {b"u": user.encode(), b"plain": plain}
                    + b"\r\n")
        assert_ok(client.until("a")[-1])
        if "behind" in line:
            for tag in ("b", "c", "d"):  # in order, each answered
                assert_ok(client.until(tag)[-1])
        link = relay.link(rb"LOGIN|PLAIN")
    replied = next(when for when, data in link.chunks[TO_CLIENT]
                   if re.search(rb"^a OK", data, re.M))
    greeted = link.chunks[TO_CLIENT][0][0]
    said = [data for when, data in link.chunks[TO_SERVER] if when < replied]
    assert len(said) == 1 and said[0].count(b"\r\n") == 1, said
    assert greeted < link.chunks[TO_SERVER][0][0] < replied
    later = link.octets(TO_SERVER)[len(said[0]):]
    if "behind" in line:
        assert re.match(rb"b NOOP\r\nc EXAMINE INBOX\r\nd NOOP\r\n", later)
    else:
        assert later == b""


def test_the_trace_shows_no_secret(bell, dovecot):
    """Of any mechanism, nor of a login that is none."""
    proxy = bell(dovecot.port, "-o", "push.enabled=false", "--trace", "all")
    user, secrets = dovecot.user(), [dovecot.secret]
    for how in MECHANISMS:
        client = proxy.connect()
        sent = []
        client.send, send = lambda data: (sent.append(data), send(data)), \
            client.send
        sasl.login(client, how, user,
                   "pass" if how == "CRAM-MD5" or "SCRAM" in how
                   else dovecot.secret)
        # What was sent in base64, but for what says no more than the name.
        secrets += [word.decode() for data in sent for word in data.split()
                    if len(word) > 20
                    and b"AUTHENTICATE" not in word]
    client = proxy.connect()
    for line in ('a LOGN "%s" "%s"', 'a LOGIN "%s" "%s" x',
                 'a  LOGIN "%s" "%s"', 'LOGIN "%s" "%s"'):
        try:
            client.send((line % (user, dovecot.secret)).encode() + b"\r\n")
            client.response()
        except Closed:
            break
    log = proxy.log()
    assert re.search(r"trace client: x AUTHENTICATE SCRAM-SHA-1 <secret>",
                     log)
    assert "trace client: a LOGN <secret>" in log
    assert len(secrets) > len(MECHANISMS)
    for secret in secrets:
        assert secret not in log, secret


def test_what_a_refusal_says(bell):
    """The server's own words pass behind a code that clients act on."""
    said = [b"User unknown", b"[UNAVAILABLE] later", b"[LIMIT] Too many"]

    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n")
        while True:
            tag, verb = peer.line().split()[:2]
            if verb == b"LOGIN":
                peer.send(tag + b" NO " + said.pop(0) + b"\r\n")
            else:
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%s OK\r\n"
                          % tag)

    with Relay(None, script) as relay:
        client = bell(relay.port).connect()
        replies = [client.command("LOGIN u p", tag="a")[-1] for _ in range(3)]
    assert replies == [
        b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n",
        b"a NO [UNAVAILABLE] later\r\n", b"a NO [LIMIT] Too many\r\n"]
