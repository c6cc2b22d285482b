# SPDX-License-Identifier: ISC
"""Before login imapbell is the server, and strangers cost the backend nothing."""
import re
from base64 import b64decode

import pytest

from imap import Closed, Imap, assert_ok, capabilities
from process import SLOW
from relay import Relay


def id_line(pairs=30, length=1024):
    """ID as large as RFC 2971 allows: a line of about 33 kB."""
    values = " ".join('"key%d" "%s"' % (n, "x" * length)
                      for n in range(pairs))
    return "ID (%s)" % values


def test_large_id(bell, server):
    client = bell(server.port).connect()
    responses = client.ok(id_line())
    assert responses[0] == b"* ID NIL\r\n"
    client.login(server.user())


def test_commands_of_its_own(bell, server):
    client = bell(server.port).connect()
    assert client.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    shown = capabilities(client.greeting)
    for word in ("SASL-IR", "LITERAL+", "ID", "AUTH=PLAIN"):
        assert word in shown
    assert not [word for word in shown
                if re.match("STARTTLS|LOGINDISABLED|COMPRESS|LOGIN-REFERRALS"
                            "|AUTH=(?!PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)",
                            word)], shown
    assert capabilities(client.ok("CAPABILITY")[0])
    client.ok("NOOP")
    assert client.ok("ID NIL")[0] == b"* ID NIL\r\n"
    client.logout()


def test_strangers_cost_the_backend_nothing(bell, dovecot):
    with Relay(dovecot.port) as relay:
        proxy = bell(relay.port)
        proxy.session(dovecot.user())
        proxy.wait_known()
        before = len(relay.links)
        for _ in range(5):
            client = proxy.connect()
            client.ok("CAPABILITY")
            client.ok(id_line())
            client.command("SELECT INBOX")
            client.logout()
        assert len(relay.links) == before


@pytest.mark.parametrize("how", ["LOGIN", "PLAIN", "PLAIN-IR"])
def test_quoted_passwords_arrive_as_they_are(bell, how):
    """Whatever octets a password has, the backend gets that password."""
    got = []

    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
        while True:
            line = peer.line()
            tag = line.split()[0]
            if b"AUTHENTICATE" in line:
                peer.send(b"+ \r\n")
                got.append(b64decode(peer.line()).split(b"\0", 1)[1])
            while line.endswith(b"}\r\n"):
                size = int(re.search(rb"\{(\d+)\}\r\n\Z", line)[1])
                peer.send(b"+ go on\r\n")
                line += peer.lines.read(size) + peer.line()
            if b"CAPABILITY" in line:
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
            if b"LOGIN" in line:
                got.append(line.split(b"LOGIN", 1)[1])
            peer.send(tag + b" OK done\r\n")

    password = 'p"a\\s{3} \u00e9'
    with Relay(None, script) as relay:
        proxy = bell(relay.port)
        proxy.wait_known()
        client = proxy.connect()
        if how == "LOGIN":
            client.send(b"x LOGIN u {%d+}\r\n%s\r\n"
                        % (len(password.encode()), password.encode()))
            assert_ok(client.until("x")[-1])
        else:
            client.login("u", password, how)
    assert password.encode() in got[-1], got
    assert b"u" in re.split(b"[ \0]", got[-1].strip())[0]


def test_sasl_cancelled_and_repeated(bell, dovecot):
    client = bell(dovecot.port).connect()
    for _ in range(3):
        client.send(b"x AUTHENTICATE PLAIN\r\n")
        assert client.response().startswith(b"+")
        client.send(b"*\r\n")
        assert client.until("x")[-1].startswith(b"x BAD")
    assert client.command("AUTHENTICATE PLAIN !!!")[-1].split()[1] == b"BAD"
    assert client.command("AUTHENTICATE XUNKNOWN")[-1].split()[1] in (
        b"NO", b"BAD")
    client.login(dovecot.user(), how="PLAIN")


def test_failed_logins_end_the_session(bell, dovecot):
    """limits.login_failures"""
    client = bell(dovecot.port, "-o", "limits.login_failures=2").connect()
    with pytest.raises(Closed):
        for _ in range(4):
            client.command('LOGIN "%s" "wrong"' % dovecot.user())


def test_silence_ends_in_bye(bell, dovecot):
    """timeouts.login_s"""
    client = bell(dovecot.port, "-o", "timeouts.login_s=5").connect()
    client.seconds = 30 * SLOW
    assert b"* BYE" in client.rest()


@pytest.mark.parametrize("line", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0\r\n", b"a\r\n", b"a \r\n",
    b"\r\n", b"a XAPPLEPUSHSERVICE\r\n", b"a LOGIN\r\n", b"a LOGIN x\r\n",
    b'a LOGIN "x y\r\n', b"a LOGIN {}\r\n", b"a LOGIN {99999999999}\r\n",
    b"a LOGIN {-1}\r\n", b"x" * 200000 + b"\r\n", b"a SELECT INBOX\r\n",
    b"a LOGIN u {5+}\r\na\r\nb\0 x\r\n", b"a STARTTLS\r\n",
    b"a COMPRESS DEFLATE\r\n", b"a UNAUTHENTICATE\r\n",
], ids=range(18))
def test_rubbish(bell, dovecot, line):
    """BAD, NO or BYE; never silence, and the next client is served."""
    proxy = bell(dovecot.port)
    client = proxy.connect()
    client.send(line)
    try:
        assert re.match(rb"(a|\*|GET|x+|\S*) (BAD|NO|BYE)\b",
                        client.response())
    except Closed:
        assert not line.startswith(b"a ")
    proxy.session(dovecot.user()).ok("NOOP")


def test_commands_refused_after_login(bell, dovecot):
    """What is not listed is refused, too, and the stream stays in step."""
    client = bell(dovecot.port).session(dovecot.user())
    for text in ("COMPRESS DEFLATE", "UNAUTHENTICATE", "STARTTLS",
                 "compress deflate", 'AUTHENTICATE PLAIN', "LOGIN a b"):
        assert client.command(text)[-1].split()[1] in (b"NO", b"BAD"), text
    client.ok("NOOP")


def test_tls_only(bell, dovecot):
    """A plain text client of the TLS port gets no IMAP."""
    proxy = bell(dovecot.port)
    client = Imap(proxy.port, greeting=False)
    client.send(b"a CAPABILITY\r\n")
    assert b"IMAP4" not in client.rest()
