# SPDX-License-Identifier: ISC
"""
TLS towards the server, from the first octet or by STARTTLS: never without, not
for anybody else's certificate, and nothing believed that was said before.
"""
import bisect
import ssl
import subprocess

import pytest

from imap import assert_ok
from imapbell import COMMAND, ENVIRONMENT
from phone import Phone
from relay import TO_CLIENT, TO_SERVER, Relay

# What goes out in the clear, and the first octet of the handshake.
ASKED = b"S0 STARTTLS\r\n\x16"

SAID = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n"


def url(scheme, port, host="localhost"):
    return "%s://%s:%d" % (scheme, host, port)


@pytest.mark.parametrize("how", ["LOGIN", "PLAIN", "PLAIN-IR"])
@pytest.mark.parametrize("scheme, port", [
    ("imaps", "tls_port"), ("imap+starttls", "port")])
def test_a_login(bell, dovecot, tls, scheme, port, how):
    user = dovecot.user()
    with Relay(getattr(dovecot, port)) as relay:
        proxy = bell(url(scheme, relay.port), "--backend-ca", tls.ca)
        proxy.wait_known()  # each has said all that it says
        client = proxy.session(user, how)
        client.ok("NOOP")
        assert all(b"pass" not in link.octets(TO_SERVER) and
                   user.encode() not in link.octets(TO_SERVER)
                   for link in relay.links)
        if scheme != "imaps":
            assert all(link.octets(TO_SERVER).startswith(ASKED)
                       for link in relay.links)


def test_a_watcher(bell, dovecot, tls):
    user = dovecot.user()
    with Relay(dovecot.port) as relay:
        proxy = bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca)
        proxy.wait_known()
        client = proxy.session(user)
        assert_ok(client.command(Phone("a").command())[-1])
        proxy.wait_log("watching user=%s" % user)
        assert len(relay.links) >= proxy.facing + 2
        assert all(link.octets(TO_SERVER).startswith(ASKED)
                   for link in relay.links)


def test_a_login_takes_the_fewest_round_trips(bell, dovecot, tls):
    """After STARTTLS and TLS 1.3's one: the login, with what it has to say."""
    with Relay(dovecot.port) as relay:
        proxy = bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca,
                     "-o", "backend.forward=id")
        proxy.wait_known()
        delay = 0.5  # imapbell rests for less between what it says at once
        relay.delay[TO_CLIENT] = delay
        with proxy.session(dovecot.user(), "PLAIN-IR"):
            link = relay.links[-1]
            said = [when for when, _ in link.chunks[TO_SERVER]]
            heard = [when + delay * 1e9 for when, _ in link.chunks[TO_CLIENT]]
    # Each turn knows more of the server: STARTTLS, the hello, our finish with
    # ID and the login.
    turns = {bisect.bisect(heard, when) for when in said}
    assert len(turns) == 3, (said, heard)


# --- servers that are not what they should be --------------------------------


def starttls(reply):
    """Greets, and answers STARTTLS with |reply| as it stands."""
    def script(peer):
        peer.send(SAID)
        assert peer.line() == b"S0 STARTTLS\r\n"
        peer.send(reply)
        peer.stall()

    return script


def greets(octets):
    def script(peer):
        peer.send(octets)
        peer.stall()

    return script


WRONG = {
    "injected": (starttls(b"S0 OK go\r\n* CAPABILITY EVIL\r\n"),
                 r"19 unencrypted octets behind the OK of STARTTLS"),
    "half_a_line": (starttls(b"S0 OK go\r\n*"),
                    r"1 unencrypted octets behind the OK of STARTTLS"),
    "refused": (starttls(b"S0 NO not now\r\n"),
                r"the server refuses STARTTLS: not now"),
    "bad": (starttls(b"S0 BAD what\r\n"),
            r"the server refuses STARTTLS: what"),
    "another_tag": (starttls(b"a1 OK go\r\n"), r"a reply to no command: go"),
    "plus": (starttls(b"+ go\r\n"), r"unexpected continuation"),
    "preauth": (greets(b"* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n"),
                r"greets with PREAUTH"),
    "bye": (starttls(b"* BYE gone\r\n"), r"the server said BYE: gone"),
}


@pytest.mark.parametrize("name", WRONG)
def test_never_without(bell, tls, name):
    """Each of them is down with its reason, and no password is sent."""
    script, says = WRONG[name]
    heard = []

    def listening(peer):
        line = peer.line
        peer.line = lambda: heard.append(line()) or heard[-1]
        script(peer)

    bell.allow("backend .* is down")
    with Relay(0, instead=listening) as relay:
        proxy = bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca)
        proxy.wait_log_each(r"error .* is down: .*" + says)
        answer = proxy.connect().command("LOGIN user1 secret")[-1]
        assert answer.startswith(b"a1 NO [UNAVAILABLE]"), answer
    assert set(heard) <= {b"S0 STARTTLS\r\n"}, heard


def test_a_server_that_does_not_list_it(bell, tls):
    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 IDLE] hello\r\n")
        tag = peer.command()
        peer.send(tag + b" BAD Unknown command\r\n")
        peer.stall()

    bell.allow("backend .* is down")
    with Relay(0, instead=script) as relay:
        proxy = bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca)
        proxy.wait_log(r"error .* is down: the server has no STARTTLS: "
                       r"Unknown command")


class Server:
    """Behind STARTTLS a server with another list than in front of it."""

    def __init__(self, cert, key, before=SAID, talk=b""):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.before = before
        self.talk = talk
        self.heard = []

    def __call__(self, peer):
        peer.send(self.before)
        assert peer.line() == b"S0 STARTTLS\r\n"
        peer.send(self.talk + b"S0 OK go\r\n")
        peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
        peer.lines = peer.sock.makefile("rb")
        while True:
            line = peer.line()
            self.heard.append(line)
            tag, verb = line.split()[:2]
            if verb == b"CAPABILITY":
                peer.send(b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\n")
            peer.send(tag + b" OK done\r\n")


def test_what_was_said_before_is_forgotten(bell, tls):
    """Anybody may have said it: capabilities, and lines in between."""
    server = Server(
        tls.server_cert, tls.server_key,
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR ID X-EVIL] hello\r\n",
        b"* CAPABILITY IMAP4rev1 X-EVIL\r\n* OK [ALERT] send money\r\n")
    with Relay(0, instead=server) as relay:
        proxy = bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca)
        proxy.wait_known()
        client = proxy.connect()
        listed = client.greeting + b"".join(client.command("CAPABILITY"))
        replies = b"".join(client.command("LOGIN user1 secret"))
    assert b"X-EVIL" not in listed and b" IDLE" in listed
    assert b"send money" not in replies and b"X-EVIL" not in replies
    # Probes say no more than these, some of them later.
    assert [line for line in server.heard if line.split()[1] not in (
        b"CAPABILITY", b"LOGOUT")] == [b'a2 LOGIN "user1" "secret"\r\n']


# --- certificates ------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Makes a self-signed one for |name|; |days| may lie in the past."""
    def make(name, days=30):
        folder = tmp_path_factory.mktemp("certificate")
        cert, key = folder / "cert.pem", folder / "key.pem"
        if days > 0:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                 "-subj", "/CN=" + name, "-addext",
                 "subjectAltName=DNS:" + name, "-keyout", key, "-out", cert],
                check=True, capture_output=True)
            return str(cert), str(key)
        request = folder / "request.pem"
        subprocess.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
             "-keyout", key, "-out", request], check=True,
            capture_output=True)
        names = folder / "names"
        names.write_text("subjectAltName=DNS:" + name)
        subprocess.run(
            ["openssl", "x509", "-req", "-in", request, "-signkey", key,
             "-days", str(days), "-extfile", names, "-out", cert],
            check=True, capture_output=True)
        return str(cert), str(key)

    return make


def refusal(bell, relay_script, *options, scheme="imap+starttls",
            host="localhost"):
    """Why a backend of that script is down."""
    bell.allow("backend .* is down")
    with Relay(0, instead=relay_script) as relay:
        proxy = bell(url(scheme, relay.port, host), *options)
        return proxy.wait_log(r"error .* is down: (.*)")[1]


def test_another_name(bell, certificate):
    cert, key = certificate("mail.example.org")
    why = refusal(bell, Server(cert, key), "--backend-ca", cert)
    assert "certificate is for mail.example.org, not localhost" in why


def test_the_name_that_was_meant(bell, certificate):
    cert, key = certificate("mail.example.org")
    with Relay(0, instead=Server(cert, key)) as relay:
        bell(url("imap+starttls", relay.port), "--backend-ca", cert, "-o",
             "backend.name=mail.example.org").wait_known()


def test_signed_by_itself(bell, certificate, tls):
    cert, key = certificate("localhost")
    why = refusal(bell, Server(cert, key), "--backend-ca", tls.ca)
    assert 'self-signed by "localhost": set backend.ca' in why


def test_signed_by_nobody_we_know(bell, tls, apple_certs):
    why = refusal(bell, Server(tls.server_cert, tls.server_key),
                  "--backend-ca", apple_certs.ca)
    assert "certificate not trusted: issuer " in why
    assert "unknown: set backend.ca" in why


def test_expired(bell, certificate):
    cert, key = certificate("localhost", -1)
    why = refusal(bell, Server(cert, key), "--backend-ca", cert)
    assert "certificate for localhost expired on 20" in why


def test_not_verified(bell, certificate, tls):
    """backend.verify = false takes any."""
    cert, key = certificate("mail.example.org", -1)
    with Relay(0, instead=Server(cert, key)) as relay:
        bell(url("imap+starttls", relay.port), "--backend-ca", tls.ca, "-o",
             "backend.verify=false").wait_known()


def test_check_says_so_too(bell, dovecot, tls, tmp_path, apple_certs):
    """The command, with STARTTLS: good, and with a certificate unknown."""
    def check(ca):
        return subprocess.run(
            [*COMMAND, "check", "-l", "imap://127.0.0.1:0", "-b",
             url("imap+starttls", dovecot.port), "--backend-ca", ca,
             "--state", tmp_path, "--watch-login", "sealed", "--apns",
             "dry-run", "--apns-topic", "com.apple.mobilemail.push.test"],
            env=ENVIRONMENT, text=True, capture_output=True).stdout

    good = check(tls.ca)
    assert "ok    backend: imap+starttls://" in good, good
    assert "TLSv1.3, certificate verified for localhost" in good, good
    assert "ok    client address: not forwarded" in good, good
    assert "unknown: set backend.ca" in check(apple_certs.ca)
