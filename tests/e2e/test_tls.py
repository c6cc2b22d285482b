# SPDX-License-Identifier: ISC
"""TLS towards clients: STARTTLS, names, versions, resumption, renewal."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from imap import Imap, capabilities
from process import SLOW

DEFAULTS = ("-o", "limits.logins_pending_per_address=100")


def context_for(ca, version=None, **fields):
    context = ssl.create_default_context(cafile=ca)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    for name, value in fields.items():
        setattr(context, name, value)
    return context


def anybody():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake(port, context, name="localhost", session=None, seconds=60):
    """A connection that has read the greeting: tickets of TLS 1.3 came."""
    sock = socket.create_connection(("127.0.0.1", port), seconds * SLOW)
    try:
        tls = context.wrap_socket(sock, server_hostname=name, session=session)
    except BaseException:
        sock.close()
        raise
    assert tls.recv(65536).startswith(b"* OK [")
    return tls


def self_signed(folder, name, *names):
    """A certificate for |names| with its key; returns both paths."""
    cert, key = folder / (name + ".pem"), folder / (name + ".key")
    subprocess.run(
        ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + names[0],
         "-addext", "subjectAltName=" + ",".join("DNS:" + n for n in names),
         "-days", "30", "-keyout", key, "-out", cert),
        check=True, capture_output=True)
    return cert, key


def shown(port, name, seconds=60):
    """The names in the certificate that a client sees who asks for |name|."""
    with handshake(port, anybody(), name, seconds=seconds) as tls:
        der = tls.getpeercert(binary_form=True)
    text = subprocess.run(
        ("openssl", "x509", "-inform", "der", "-noout", "-ext",
         "subjectAltName"), input=der, capture_output=True, check=True).stdout
    return re.findall(r"DNS:(\S+?)(?:,|$)", text.decode(), re.M)


# STARTTLS

@pytest.fixture
def starttls(bell, dovecot):
    """An imapbell that listens for STARTTLS too, and a client of that."""
    proxy = bell(dovecot.port, "-l", "imap+starttls://127.0.0.1:0", *DEFAULTS)
    port = int(re.search(r"url=imap\+starttls://127\.0\.0\.1:(\d+)",
                         proxy.log())[1])
    clients = []

    def connect():
        clients.append(Imap(port))
        return clients[-1]
    yield proxy, connect
    for client in clients:
        client.close()


def secure(client, ca):
    client.ok("STARTTLS")
    client.sock = context_for(ca).wrap_socket(client.sock,
                                              server_hostname="localhost")


def test_starttls(starttls, tls, dovecot):
    _, connect = starttls
    client = connect()
    for line in (client.greeting, client.ok("CAPABILITY")[0]):
        words = capabilities(line)
        assert "STARTTLS" in words and "LOGINDISABLED" in words
        assert not [word for word in words if word.startswith("AUTH=")]
    secure(client, tls.ca)
    words = capabilities(client.ok("CAPABILITY")[0])
    assert "AUTH=PLAIN" in words
    assert "STARTTLS" not in words and "LOGINDISABLED" not in words
    assert b" BAD " in client.command("STARTTLS")[-1]
    client.login(dovecot.user())
    client.logout()


def test_no_greeting_after_starttls(starttls, tls):
    _, connect = starttls
    client = connect()
    secure(client, tls.ca)
    assert client.quiet(0.3) == b""


def test_no_login_before_starttls(starttls, dovecot):
    proxy, connect = starttls
    client = connect()
    for command in (b"LOGIN user secret-1", b"LOGIN {4+}\r\nuser {8+}\r\n"
                    b"secret-2", b"AUTHENTICATE PLAIN"):
        with connect() as client:
            client.send(b"x " + command + b"\r\ny NOOP\r\n")
            assert client.until("x") == [
                b"x NO [PRIVACYREQUIRED] Log in after STARTTLS.\r\n"]
            client.until("y")
    assert "secret-" not in proxy.log() and "login user" not in proxy.log()


@pytest.mark.parametrize("behind", [
    b"b LOGIN evil x\r\n", b"b LOG", b" ", b"\r\n"])
def test_nothing_behind_starttls_is_executed(starttls, tls, behind):
    """CVE-2011-0411, in one segment and in two."""
    proxy, connect = starttls
    client = connect()
    client.send(b"a STARTTLS\r\n" + behind)
    client.until("a")
    with pytest.raises(OSError):
        context_for(tls.ca).wrap_socket(client.sock,
                                        server_hostname="localhost")
    proxy.wait_log("session end reason=\"octets behind STARTTLS\"")
    client = connect()
    client.send(b"a STARTTLS\r\n")
    client.until("a")
    client.send(behind)
    with pytest.raises(OSError):
        context_for(tls.ca).wrap_socket(client.sock,
                                        server_hostname="localhost")
        client.sock.close()
    proxy.wait_log("session end reason=\"client: the peer does not speak tls|"
                   "session end reason=\"client: tls")
    assert "evil" not in proxy.log()


def test_what_was_left_open_before_starttls(starttls, tls):
    """Half a line, an ID: nothing of it is there in TLS."""
    _, connect = starttls
    client = connect()
    client.ok('ID ("name" "before")')
    secure(client, tls.ca)
    client.send(b"a NOOP\r\n")
    assert client.until("a") == [b"a OK NOOP completed.\r\n"]


def test_plain_listener_takes_logins(bell, dovecot):
    proxy = bell(dovecot.port, "-l", "imap://127.0.0.1:0")
    port = int(re.search(r"url=imap://127\.0\.0\.1:(\d+)", proxy.log())[1])
    with Imap(port) as client:
        words = capabilities(client.greeting)
        assert "AUTH=PLAIN" in words and "STARTTLS" not in words
        assert b" BAD " in client.command("STARTTLS")[-1]
        client.login(dovecot.user())


# which certificate

def test_certificates_by_name(bell, dovecot, tmp_path):
    """The name in full, then the wildcard, else the first."""
    made = [self_signed(tmp_path, "wild", "*.example.net"),
            self_signed(tmp_path, "full", "imap.example.net", "example.com")]
    proxy = bell(dovecot.port, "-o", "tls.certificates=( %s )" % ", ".join(
        '{ certificate = "%s"; key = "%s"; }' % pair for pair in made))
    for name, names in (("localhost", ["localhost"]),
                        ("imap.example.net", ["imap.example.net",
                                              "example.com"]),
                        ("IMAP.EXAMPLE.NET", ["imap.example.net",
                                              "example.com"]),
                        ("mail.example.net", ["*.example.net"]),
                        ("example.com", ["imap.example.net", "example.com"]),
                        ("a.b.example.net", ["localhost"]),
                        ("unknown.example.org", ["localhost"]),
                        (None, ["localhost"])):
        assert shown(proxy.port, name) == names, name


def test_without_a_certificate_of_its_own_the_first_of_the_list(
        bell, dovecot, tmp_path):
    cert, key = self_signed(tmp_path, "one", "one.example.net")
    proxy = bell(dovecot.port, "--tls-cert", "", "--tls-key", "", "-o",
                 'tls.certificates=( { certificate = "%s"; key = "%s"; } )'
                 % (cert, key))
    assert shown(proxy.port, None) == ["one.example.net"]


# what is spoken

def test_alpn(bell, dovecot, tls):
    """imap, or none; who wants anything else has lost his way (ALPACA)."""
    proxy = bell(dovecot.port)
    for offered, agreed in ((["imap"], "imap"), (["h2", "imap"], "imap"),
                            ([], None)):
        context = context_for(tls.ca)
        if offered:
            context.set_alpn_protocols(offered)
        with handshake(proxy.port, context) as client:
            assert client.selected_alpn_protocol() == agreed
    for offered in (["h2", "http/1.1"], ["pop3"], ["ima"], ["imap2"]):
        context = context_for(tls.ca)
        context.set_alpn_protocols(offered)
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            handshake(proxy.port, context)
    proxy.wait_log(r"session end reason=\"client: tls: the client wants "
                   r"another protocol \(ALPN\)\"")


def test_versions(bell, dovecot, tls):
    old = context_for(tls.ca, ssl.TLSVersion.TLSv1_2)
    new = context_for(tls.ca, ssl.TLSVersion.TLSv1_3)
    proxy = bell(dovecot.port)
    for context, version in ((old, "TLSv1.2"), (new, "TLSv1.3")):
        with handshake(proxy.port, context) as client:
            assert client.version() == version
    proxy = bell(dovecot.port, "-o", "tls.min_version=1.3")
    with handshake(proxy.port, new) as client:
        assert client.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        handshake(proxy.port, old)
    proxy.wait_log('session end reason="client: tls: no version in common"')


def openssl_client(port, *args):
    """What openssl s_client says of a connection with |args|."""
    done = subprocess.run(
        ("openssl", "s_client", "-ign_eof", "-connect",
         "127.0.0.1:%d" % port, *args),
        input=b"a LOGOUT\r\n", capture_output=True, timeout=60 * SLOW)
    return (done.stdout + done.stderr).decode("latin-1")


@pytest.mark.parametrize("key, value, good, chosen, bad", [
    ("ciphers", "ECDHE-RSA-AES128-GCM-SHA256", ("-tls1_2",),
     "Cipher is ECDHE-RSA-AES128-GCM-SHA256",
     ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")),
    ("ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", ("-tls1_3",),
     "Cipher is TLS_CHACHA20_POLY1305_SHA256",
     ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")),
    ("groups", "P-384", ("-tls1_3",), "Server Temp Key: ECDH, secp384r1",
     ("-tls1_3", "-groups", "X25519")),
], ids=["ciphers", "ciphersuites", "groups"])
def test_choice_is_obeyed(bell, dovecot, key, value, good, chosen, bad):
    proxy = bell(dovecot.port, "-o", "tls.%s=%s" % (key, value))
    assert chosen in openssl_client(proxy.port, *good)
    said = openssl_client(proxy.port, *bad)
    assert "alert handshake failure" in said
    proxy.wait_log('session end reason="client: tls: no (cipher|group) '
                   'in common"')


def test_failed_handshakes_are_told_in_words(bell, dovecot, tls, tmp_path):
    proxy = bell(dovecot.port)
    other, _ = self_signed(tmp_path, "other", "localhost")
    with pytest.raises(ssl.SSLError):
        handshake(proxy.port, context_for(other))
    proxy.wait_log(r"reason=\"client: tls alert: unknown CA \(48\)\"")
    with pytest.raises(ssl.SSLError):
        handshake(proxy.port, context_for(tls.ca), "elsewhere.example")
    proxy.wait_log(r"reason=\"client: tls alert: bad certificate \(42\)\"")
    for said, why in (
            (b"GET / HTTP/1.1\r\n\r\n", "http request"),
            (b"a LOGIN name secret-3\r\n", "the peer does not speak tls")):
        with socket.create_connection(("127.0.0.1", proxy.port)) as sock:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            proxy.wait_log('session end reason="client: [^"]*' + why)
    assert "secret-3" not in proxy.log()
    socket.create_connection(("127.0.0.1", proxy.port)).close()
    proxy.wait_log("client: connection closed in the tls handshake")


# going on with an earlier session

def counted(proxy):
    """The handshakes so far, full and resumed."""
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGUSR1)
    return tuple(int(proxy.wait_log(
        r'handshakes_total\{kind="%s"\} value=(\d+)' % kind,
        start=start)[1]) for kind in ("full", "resumed"))


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_sessions_are_resumed(bell, dovecot, tls, version):
    proxy = bell(dovecot.port)
    context = context_for(tls.ca, version)
    session = None
    for resumed in (False, True, True):
        with handshake(proxy.port, context, session=session) as client:
            assert client.session_reused == resumed
            session = client.session
    assert counted(proxy) == (1, 2)
    reload(proxy)
    with handshake(proxy.port, context, session=session) as client:
        assert client.session_reused


def test_one_ticket(bell, dovecot):
    proxy = bell(dovecot.port)
    said = openssl_client(proxy.port, "-tls1_3", "-msg")
    assert said.count("NewSessionTicket") == 1


# renewal

def reload(proxy, says="certificates are read again"):
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGHUP)
    return proxy.wait_log(says, start=start)[0]


@pytest.fixture
def renewed(bell, dovecot, tmp_path):
    """An imapbell whose certificate is about to change."""
    for name in ("old", "new", "next"):
        self_signed(tmp_path, name, "localhost", name + ".example")
    cert, key = tmp_path / "cert.pem", tmp_path / "cert.key"

    def put(name):
        shutil.copy(tmp_path / (name + ".pem"), cert)
        shutil.copy(tmp_path / (name + ".key"), key)
    put("old")
    proxy = bell(dovecot.port, "--tls-cert", cert, "--tls-key", key)
    yield proxy, put, cert, key


def sees(proxy, name):
    assert shown(proxy.port, "localhost") == ["localhost", name + ".example"]


def test_reload(renewed, tmp_path, dovecot):
    """Who comes sees the new one, who is there stays."""
    proxy, put, cert, _ = renewed
    sees(proxy, "old")
    client = Imap(proxy.port, tmp_path / "old.pem")
    client.login(dovecot.user())
    put("new")
    sees(proxy, "old")
    reload(proxy)
    sees(proxy, "new")
    client.ok("NOOP")
    client.logout()


@pytest.mark.parametrize("what, says", [
    ("missing", r"tls\.key: \S+cert\.key"),
    ("mismatch", r"tls\.certificate \S+cert\.pem, tls\.key \S+cert\.key: "
                 r"private key does not match the certificate"),
    ("rubbish", r"tls\.certificate \S+cert\.pem.* no certificate in the PEM"),
    ("unreadable", r"tls\.certificate: \S+cert\.pem"),
])
def test_reload_of_what_is_bad(bell, renewed, what, says):
    """The old one stays, an error line names file and fault; then it mends."""
    proxy, put, cert, key = renewed
    bell.allow("nothing is changed")
    put("new")
    if what == "missing":
        key.unlink()
    elif what == "mismatch":
        shutil.copy(key.parent / "next.key", key)
    elif what == "rubbish":
        cert.write_text("rubbish\n")
    else:
        cert.unlink()
        cert.mkdir()
    line = reload(proxy, "error conf SIGHUP: nothing is changed: .*")
    assert re.search(says, line), line
    sees(proxy, "old")
    if what == "unreadable":
        cert.rmdir()
    put("next")
    reload(proxy)
    sees(proxy, "next")


def test_reload_of_several(bell, dovecot, tmp_path):
    """One that is bad keeps all: half a renewal helps nobody."""
    bell.allow("nothing is changed")
    one, one_key = self_signed(tmp_path, "one", "one.example")
    two, two_key = self_signed(tmp_path, "two", "two.example")
    proxy = bell(dovecot.port, "-o", "tls.certificates=( "
                 '{ certificate = "%s"; key = "%s"; }, '
                 '{ certificate = "%s"; key = "%s"; } )'
                 % (one, one_key, two, two_key))
    self_signed(tmp_path, "one", "one.example", "more.example")
    two.write_text("")
    line = reload(proxy, "error conf SIGHUP: nothing is changed: .*")
    assert "tls.certificates, entry 2: certificate" in line
    assert shown(proxy.port, "one.example") == ["one.example"]
    self_signed(tmp_path, "two", "two.example")
    reload(proxy)
    assert shown(proxy.port, "more.example") == ["one.example",
                                                 "more.example"]


def test_an_expired_one_warns(renewed, tls):
    proxy, put, cert, key = renewed
    old, old_key = tls.issue("expired", "/CN=localhost", section="server",
                             days=5, start_days=-10)
    shutil.copy(old, cert)
    shutil.copy(old_key, key)
    reload(proxy)
    proxy.wait_log(r"warn tls tls\.certificate \S+cert\.pem: .*expired")
    assert shown(proxy.port, "localhost") == ["localhost"]
