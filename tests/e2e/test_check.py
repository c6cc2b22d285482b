# SPDX-License-Identifier: ISC
"""
`imapbell check`: each fault is named by its own line and status 1, and hides
no other line.
"""
import json
import os
import re
import subprocess
import time

import pytest

import apns_certs
from dovecot import Dovecot
from imapbell import COMMAND, ENVIRONMENT, REPORT
from phone import Phone
from process import PATIENCE, SLOW, free_port
from relay import Relay

# The command ends within 20 seconds of the clock, however slow the machine.
pytestmark = pytest.mark.skipif(
    "IMAPBELL_TEST_VALGRIND" in os.environ, reason="valgrind is too slow")

SUBJECTS = ["configuration", "listener certificate", "backend",
            "client address", "capabilities", "watching", "credential",
            "APNs", "store", "seal key"]
LINE = re.compile(r"(ok  |warn|FAIL)  ([^:]+): (\S.*)")


class Facts(dict):
    """What one run said: subject -> (verdict, text), and its status."""

    def __init__(self, status, rows):
        super().__init__((subject, (verdict, text))
                         for verdict, subject, text in rows)
        assert len(self) == len(rows), rows
        self.status = status

    def failed(self):
        return [name for name, (verdict, _) in self.items()
                if verdict == "FAIL"]


@pytest.fixture
def check(tmp_path, dovecot, tls, apple):
    """Runs the command, where all is good but for |options|."""
    (tmp_path / "state").mkdir()

    def call(*options, environment=None):
        command = [
            *COMMAND, "check", "-l", "imaps://127.0.0.1:0", "-b",
            "imaps://localhost:%d" % dovecot.tls_port, "--backend-ca", tls.ca,
            "--tls-cert", tls.server_cert, "--tls-key", tls.server_key,
            "--state", tmp_path / "state", "--watch-login", "sealed",
            "-o", "watch.key_file=%s" % (tmp_path / "seal.key"),
            "--apns", apple.url, "--apns-ca", apple.certs.ca, "--apns-cert",
            apple.certs.client_cert, "--apns-key", apple.certs.client_key,
            *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(ENVIRONMENT, **(environment or {})),
            timeout=PATIENCE * SLOW)
        assert done.stderr == "", done.stderr
        if "--json" in options:
            rows = [(fact.pop("verdict"), fact.pop("subject"),
                     fact.pop("text")) for fact in json.loads(done.stdout)]
        else:
            rows = [LINE.fullmatch(line).groups()
                    for line in done.stdout.splitlines()]
            rows = [(verdict.strip(), *rest) for verdict, *rest in rows]
        return Facts(done.returncode, rows)

    return call


@pytest.mark.smoke
def test_all_is_good(check, apple):
    facts = check()
    assert facts.status == 0
    assert list(facts) == SUBJECTS
    assert {verdict for verdict, _ in facts.values()} == {"ok"}, facts
    for subject, says in [
            ("listener certificate", r"for localhost, 127\.0\.0\.1, ::1, "
                                     r"until 20\d\d-"),
            ("backend", r"127\.0\.0\.1:\d+, TLSv1\.3, certificate verified "
                        r"for localhost.*, until 20"),
            ("capabilities", r": IMAP4rev1 .*; of these not shown: "
                             r"LOGIN-REFERRALS AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 "
                             r"AUTH=SCRAM-SHA-256$"),
            ("watching", "IDLE"),
            ("credential", r"topic %s, until 20\d\d-\d\d-\d\d, the key "
                           r"matches" % re.escape(apns_certs.TOPIC)),
            ("APNs", "400 BadDeviceToken"),
            ("store", r"imapbell\.db is whole and can be written, "
                      r"\d+ MiB are free"),
            ("seal key", "is made at the first start")]:
        assert re.search(says, facts[subject][1]), facts
    path = apple.requests[0]["path"]
    assert path == "/3/device/" + 64 * "0" and len(apple.requests) == 1


def test_nothing_is_left_behind(check, tmp_path):
    """Neither a database nor a key: root's would be in the service's way."""
    check()
    assert os.listdir(tmp_path / "state") == []
    assert not (tmp_path / "seal.key").exists()


def test_json_says_the_same(check):
    lines, facts = check(), check("--json")
    assert facts.status == lines.status == 0
    changing = r"\d+ MiB"
    assert re.sub(changing, "", str(facts)) == re.sub(changing, "",
                                                      str(lines))


def closed(_):
    return ["-b", "imaps://localhost:%d" % free_port()]


@pytest.mark.parametrize("options, subject, says", [
    (closed, "backend", "Connection refused"),
    (lambda f: ["-b", "imaps://no-such-host.invalid"], "backend",
     r"no-such-host\.invalid"),
    (lambda f: ["--backend-ca", f.apple.ca], "backend", "not trusted"),
    (lambda f: ["--backend-ca", "/absent"], "backend", r"backend\.ca.*absent"),
    (lambda f: ["-o", "backend.name=other.example"], "backend",
     r"not other\.example"),
    (lambda f: ["--tls-cert", "/absent"], "listener certificate",
     r"tls\.certificate: /absent"),
    (lambda f: ["--tls-key", f.apple.server_key], "listener certificate",
     "does not match"),
    (lambda f: ["--apns-cert", "/absent"], "credential", "/absent"),
    (lambda f: ["--apns-key", f.tls.client_key], "credential",
     "does not match"),
    (lambda f: ["--apns-topic", "com.apple.mobilemail.push.com.example"],
     "APNs", "400 TopicDisallowed"),
    (lambda f: ["--apns-cert", f.tls.client_cert, "--apns-key",
                f.tls.client_key], "APNs", "certificate is refused"),
    (lambda f: ["--apns", "https://localhost:%d" % free_port()], "APNs",
     "Connection refused"),
    (lambda f: ["--apns-ca", f.tls.ca], "APNs", "not trusted"),
    (lambda f: ["-o", "store.path=%s" % f.folder], "store",
     "irectory"),
    (lambda f: ["--state", "/proc/absent"], "store", "/proc/absent"),
], ids=["backend_down", "backend_no_name", "backend_untrusted",
        "backend_no_ca", "backend_name", "listener_absent", "listener_key",
        "credential_absent", "credential_key", "topic", "credential_refused",
        "apns_down", "apns_untrusted", "store_folder", "state_absent"])
def test_a_fault_has_its_line(check, tmp_path, tls, apple_certs, options,
                              subject, says):
    class Files:
        folder = tmp_path / "state"
        apple = apple_certs
    Files.tls = tls
    facts = check(*options(Files))
    assert facts.status == 1
    assert facts.failed() == [subject], facts
    assert re.search(says, facts[subject][1]), facts
    hidden = {"backend": ["client address", "capabilities", "watching"],
              "credential": ["APNs"]}.get(subject, [])
    assert list(facts) == [name for name in SUBJECTS if name not in hidden]


@pytest.mark.parametrize("way, port, says", [
    ("none", "port", "not forwarded"),
    ("proxy-v1", "proxied_port", "of version 1, which the server takes"),
    ("proxy-v2", "proxied_port", "of version 2, which the server takes"),
    ("id", "port", "which the server lists"),
])
def test_how_the_server_learns_the_address(check, dovecot, way, port, says):
    facts = check("-b", "imap://localhost:%d" % getattr(dovecot, port), "-o",
                  "backend.forward=%s" % way)
    assert facts["client address"][0] == "ok", facts
    assert says in facts["client address"][1]


@pytest.mark.parametrize("way, port, says", [
    ("proxy-v2", "port", r"expect a PROXY header \(backend\.forward\)\?$"),
    ("none", "proxied_port", r"expect a PROXY header \(backend\.forward\)\?$"),
])
def test_a_way_that_it_does_not_know(check, dovecot, way, port, says):
    facts = check("-b", "imap://localhost:%d" % getattr(dovecot, port), "-o",
                  "backend.forward=%s" % way)
    assert facts.failed() == ["backend"]
    assert re.search(says, facts["backend"][1]), facts


def test_an_id_that_nobody_reads(check, courier):
    facts = check("-b", "imap://localhost:%d" % courier.port, "-o",
                  "backend.forward=id")
    assert facts.failed() == ["client address"]
    assert "has no ID" in facts["client address"][1]


@pytest.mark.parametrize("rule, verdict, says", [
    ({"status": 403, "reason": "BadCertificate"}, "FAIL",
     "the credential is refused: 403 BadCertificate"),
    ({"status": 403, "reason": "Unheard"}, "FAIL", "403 other"),
    ({"status": 400, "reason": "BadTopic"}, "FAIL", "400 BadTopic"),
    ({"status": 400, "reason": "InvalidPushType"}, "FAIL",
     "400 InvalidPushType"),
    ({"status": 404, "reason": "BadPath"}, "FAIL", "404 BadPath"),
    ({"status": 410, "reason": "Unregistered"}, "ok", "410 Unregistered"),
    ({"status": 429, "reason": "TooManyRequests"}, "warn", "429"),
    ({"status": 503, "reason": "ServiceUnavailable"}, "warn", "503"),
    ({"action": "goaway", "reason": "BadCertificateEnvironment",
      "last": "below"}, "FAIL", "BadCertificateEnvironment"),
    ({"action": "rst", "code": 2}, "FAIL", "APNs|stream"),
    ({"action": "drop"}, "FAIL", "."),
], ids=lambda value: value.get("reason", value.get("action"))
    if isinstance(value, dict) else "")
def test_answers_of_apns(check, apple, rule, verdict, says):
    apple.answer(**rule)
    facts = check()
    assert facts["APNs"][0] == verdict, facts
    assert re.search(says, facts["APNs"][1]), facts
    assert facts.status == (1 if verdict == "FAIL" else 0)


def test_apns_out_of_reach(check, apple):
    apple.refuse("close")
    assert check().failed() == ["APNs"]


def test_it_comes_to_an_end(check, apple):
    """
    Whoever is silent, and for however long: after 20 s, and some for a machine
    that is busy, but not each of three times.
    """
    apple.refuse("settings")

    def seconds():
        start = time.monotonic()
        with Relay(0, instead=lambda peer: peer.stall()) as relay:
            facts = check("-b", "imap://127.0.0.1:%d" % relay.port)
        assert facts.failed() == ["backend", "APNs"]
        for subject in facts.failed():
            assert re.search("no greeting|no answer|timed out",
                             facts[subject][1]), facts
        return time.monotonic() - start

    assert any(seconds() < 25 * SLOW for _ in range(3))


@pytest.mark.parametrize("says", [b"* BYE not today\r\n", b"220 smtp\r\n",
                                  b"", b"* PREAUTH hello\r\n"])
def test_backend_that_is_none(check, says):
    with Relay(0, instead=lambda peer: peer.send(says)) as relay:
        facts = check("-b", "imap://127.0.0.1:%d" % relay.port)
    assert facts.failed() == ["backend"]


def test_backend_in_plain(check, dovecot):
    facts = check("-b", "imap://127.0.0.1:%d" % dovecot.port)
    assert facts.status == 0
    assert "without TLS" in facts["backend"][1]


def test_backend_is_not_verified(check, tls, apple_certs):
    facts = check("--backend-ca", apple_certs.ca, "-o",
                  "backend.verify=false")
    assert facts.status == 0
    assert facts["backend"][0] == "warn"
    assert "NOT verified" in facts["backend"][1]


def greet(words):
    """A server that lists |words| before login, as a Relay's instead."""
    def play(peer):
        peer.send(b"* OK hello\r\n")
        tag = peer.command()
        peer.send(b"* CAPABILITY %s\r\n%s OK done\r\n" % (words, tag))
        peer.stall()
    return play


def test_login_needs_tls(check):
    with Relay(0, greet(b"IMAP4rev1 STARTTLS LOGINDISABLED")) as relay:
        facts = check("-b", "imap://127.0.0.1:%d" % relay.port)
    assert facts.failed() == ["capabilities"]
    assert "imaps://" in facts["capabilities"][1]


def test_what_is_hidden(check):
    """By us and by the operator; a peer's bytes are made safe."""
    words = b"IMAP4rev1 IDLE COMPRESS=DEFLATE AUTH=PLAIN X-\x1b[1m SORT"
    with Relay(0, greet(words)) as relay:
        facts = check("-b", "imap://127.0.0.1:%d" % relay.port,
                      "-o", 'capability.hide=("sort")')
    assert facts.status == 0
    assert facts["capabilities"][1].endswith(
        "AUTH=PLAIN X-\\x1b[1m SORT; of these not shown: "
        "COMPRESS=DEFLATE SORT"), facts


def test_no_idle_is_a_warning(check):
    with Relay(0, greet(b"IMAP4rev1 AUTH=PLAIN")) as relay:
        facts = check("-b", "imap://127.0.0.1:%d" % relay.port)
    assert facts.status == 0 and facts["watching"][0] == "warn"


@pytest.mark.parametrize("days, verdict, status", [
    ((-20, 10), "FAIL", 1), ((5, 10), "FAIL", 1), ((-5, 10), "warn", 0),
], ids=["expired", "not_yet", "soon"])
def test_time_of_certificates(check, tls, apple_certs, days, verdict, status):
    start, length = days
    cert, key = tls.issue("listener%d" % start, "/CN=localhost", "server",
                          start_days=start, days=length)
    facts = check("--tls-cert", cert, "--tls-key", key)
    assert facts["listener certificate"][0] == verdict, facts
    assert facts.status == status
    cert, key = apple_certs.client("old%d" % start, start_days=start,
                                   days=length)
    facts = check("--apns-cert", cert, "--apns-key", key)
    assert facts["credential"][0] == verdict, facts


def test_time_of_the_backend(check, folder, tls):
    class Certs:
        server_cert, server_key = tls.issue(
            "soon", "/CN=localhost", "server", start_days=-5, days=10)
    server = Dovecot(folder / "dovecot-soon", Certs)
    try:
        facts = check("-b", "imaps://localhost:%d" % server.tls_port)
    finally:
        server.stop()
    assert facts["backend"][0] == "warn" and facts.status == 0, facts


def test_key_of_the_listener_is_exposed(check, tls):
    cert, key = tls.issue("exposed", "/CN=localhost", "server")
    os.chmod(key, 0o644)
    facts = check("--tls-cert", cert, "--tls-key", key)
    assert facts["listener certificate"][0] == "warn"
    assert "can read the key" in facts["listener certificate"][1]


def test_dry_run_is_a_warning(check, apple):
    facts = check("--apns", "dry-run", "--apns-topic", "com.example")
    assert facts.status == 0
    assert facts["APNs"][0] == "warn" and "logged" in facts["APNs"][1]
    assert apple.requests == []


def test_without_a_credential(check):
    """A plain proxy is a proxy; what it does not need is not asked for."""
    facts = check("--apns-cert", "", "--apns-key", "")
    assert facts.status == 0 and facts["credential"][0] == "warn", facts
    assert "APNs" not in facts
    facts = check("-o", "push.enabled=false")
    assert facts.status == 0 and "store" not in facts, facts


@pytest.fixture
def lived(bell, dovecot):
    """One with a device, a database and a key; still running."""
    proxy = bell(dovecot.port)
    with proxy.session(dovecot.user()) as client:
        client.ok(Phone().command())
        client.logout()
    return proxy


def test_beside_a_running_one(check, lived, dovecot):
    """It is not disturbed; its key lies where the database does."""
    facts = check("--state", lived.state, "-o",
                  "watch.key_file=%s" % (lived.state / "seal.key"))
    assert facts.status == 0, facts
    assert facts["seal key"][0] == "warn"
    assert "watch.key_file" in facts["seal key"][1]
    client = lived.session(dovecot.user())
    client.ok(Phone().command())
    assert not re.search(" (error|warn) store", lived.log())


def test_key_apart(check, lived):
    facts = check("-o", "watch.key_file=%s" % (lived.state / "seal.key"))
    assert facts["seal key"][0] == "ok", facts


@pytest.mark.parametrize("spoil, says", [
    (lambda key: key.chmod(0o644), "mode 0644.*must be 0600"),
    (lambda key: key.write_text("short\n"), "base64 of 32 octets"),
], ids=["mode", "content"])
def test_seal_key(check, lived, spoil, says):
    key = lived.state / "seal.key"
    spoil(key)
    facts = check("-o", "watch.key_file=%s" % key)
    assert facts.status == 1 and facts.failed() == ["seal key"]
    assert re.search(says, facts["seal key"][1]), facts


def test_damaged_store(check, tmp_path):
    """It is named, and left for the service to set aside."""
    database = tmp_path / "state/imapbell.db"
    database.write_bytes(4096 * b"x")
    facts = check()
    assert facts.status == 1 and facts.failed() == ["store"], facts
    assert "not a database" in facts["store"][1]
    assert database.read_bytes() == 4096 * b"x"


def test_file_is_named(check, tmp_path):
    (tmp_path / "a.conf").write_text("push = { enabled = true; };\n")
    facts = check("-c", tmp_path / "a.conf")
    assert facts["configuration"] == ("ok", "%s is good" % (
        tmp_path / "a.conf"))


@pytest.mark.parametrize("args, status, says", [
    (["check", "twice"], 64, "check: takes no argument"),
    (["chek"], 64, "chek: no such command, there is: check"),
    (["devices"], 64, "devices: not built yet"),
    (["check", "-t"], 64, "-t"),
    (["--json"], 64, "--json"),
    (["check", "-o", "push.merge_ms=0"], 78, "merge_ms"),
    (["check", "--help"], 0, "usage: "),
])
def test_command_line(args, status, says):
    done = subprocess.run(
        [*COMMAND, *args, *(["-b", "imap://localhost:1", "-l", "imap://*:0"]
                            if status else [])],
        text=True, env=ENVIRONMENT, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=PATIENCE * SLOW)
    assert done.returncode == status and says in done.stdout, done.stdout
    assert not REPORT.search(done.stdout)
