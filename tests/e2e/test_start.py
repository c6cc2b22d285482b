# SPDX-License-Identifier: ISC
"""Start and end: what is refused and how it is named, exit codes, signals."""
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from imap import Closed, Imap
from imapbell import COMMAND, ENVIRONMENT, REPORT
from lmtp import message
from phone import Phone
from process import SLOW, free_port, wait_until

USAGE, INTERNAL, SYSTEM, CONFIG = 64, 70, 71, 78
# A wait for sessions would be noticed.
PATIENT = ("-o", "process.drain_s=600")


@pytest.fixture
def run(tmp_path, tls):
    """Runs imapbell to its end: (status, output). |conf| becomes its file."""
    def call(*args, conf=None, environment=None, complete=True):
        command = list(COMMAND)
        if conf is not None:
            (tmp_path / "imapbell.conf").write_text(conf)
            command += ["-c", tmp_path / "imapbell.conf"]
        if complete:
            command += ["-l", "imaps://127.0.0.1:0", "-b",
                        "imap://127.0.0.1:%d" % free_port(), "--tls-cert",
                        tls.server_cert, "--tls-key", tls.server_key,
                        "--state", tmp_path, "--apns", "dry-run",
                        "--apns-topic", "x", "--watch-login", "sealed"]
        done = subprocess.run(
            [*command, *args], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(ENVIRONMENT, **(environment or {})), timeout=60 * SLOW)
        assert not re.search("Sanitizer|runtime error", done.stdout), \
            done.stdout
        return done.returncode, done.stdout

    return call


@pytest.mark.parametrize("conf, says", [
    ("backend.url = 1;\n", r"imapbell\.conf:1.*syntax"),
    ("\n\nbackend: { url = 5; };\n", r"imapbell\.conf:3.*backend\.url"),
    ("listen = (\"imaps://*:0\");\nnonsense = 1;\n",
     r"imapbell\.conf:2.*nonsense"),
    ("push: {\n  merge_ms = 0;\n};\n", r"imapbell\.conf:2.*push\.merge_ms"),
    ("push: {\n  enabled = 1;\n};\n", r"imapbell\.conf:2.*push\.enabled"),
    ("push: {\n  merge_ms = \"2s\";\n};\n",
     r"imapbell\.conf:2.*push\.merge_ms"),
    ("control: {\n  path = \"/run/c\";\n};\n", r"imapbell\.conf:1.*control"),
    ("status: {\n  listen = \"::1:80\";\n};\n",
     r"imapbell\.conf:2.*status\.listen"),
    ("log: { level = \"loud\"; };\n", r"imapbell\.conf:1.*log\.level"),
    ("@include \"absent.conf\"\n", r"imapbell\.conf:1|absent\.conf"),
], ids=["syntax", "type", "unknown", "zero", "bool", "string", "not_built",
        "place", "choice", "include"])
def test_file_is_wrong(run, conf, says):
    """78 names file, line and key."""
    status, output = run("-t", conf=conf, complete="backend" not in conf)
    assert status == CONFIG, output
    assert re.search(says, output), output


@pytest.mark.parametrize("args, expected, says", [
    (["--nonsense"], USAGE, "--nonsense"),
    (["-c"], USAGE, "-c"),
    (["status"], USAGE, "status"),
    (["-d", "nonsense"], USAGE, "nonsense"),
    (["-o", "push.merge_ms"], USAGE, "push.merge_ms"),
    (["-o", "nonsense.key=1"], CONFIG, r"nonsense\.key"),
    (["-o", "push.merge_ms=0"], CONFIG, r"push\.merge_ms"),
    (["--workers", "two"], CONFIG, "process.workers"),
    (["--status", "127.0.0.1"], CONFIG, r"status\.listen"),
    (["--watch-login", "session"], CONFIG, r"watch.login.*session|sealed"),
    (["--watch-login", "master"], CONFIG, r"watch.login.*master|sealed"),
    (["--apns-cert", "x.p12"], CONFIG, "PKCS#12"),
    (["-b", "http://localhost"], CONFIG, r"backend\.url"),
    (["-b", "imap://localhost:0"], CONFIG, r"backend\.url"),
    (["-l", "imaps://127.0.0.1:99999"], CONFIG, "listen"),
    (["--tls-cert", "/absent"], CONFIG, "/absent"),
    (["--tls-key", "/dev/null"], CONFIG, "/dev/null"),
    (["--backend-ca", "/absent", "-b", "imaps://localhost:1"], CONFIG,
     "/absent"),
    (["-c", "/absent.conf"], CONFIG, r"/absent\.conf"),
    (["-t", "--apns", "https://localhost:1", "--apns-cert", "/absent"],
     CONFIG, "/absent"),
], ids=lambda value: "_".join(value).replace("/", "")[:40]
    if isinstance(value, list) else "")
def test_command_line_is_wrong(run, args, expected, says):
    status, output = run(*args)
    assert status == expected, output
    assert re.search(says, output), output


def test_nothing_to_stand_in_front_of(run):
    status, output = run(complete=False)
    assert status == CONFIG and "backend.url" in output, output


def test_key_of_another_certificate(run, apple_certs):
    status, output = run("--tls-key", apple_certs.server_key)
    assert status == CONFIG and "server.key" in output, output


def test_configuration_is_good(run, tmp_path):
    status, output = run("-t")
    assert status == 0, output


def test_help_and_version(run):
    status, output = run("--help", complete=False)
    assert status == 0 and "--watch-login" in output
    status, output = run("--version", complete=False)
    assert status == 0 and re.match(r"imapbell \d+\.\d+", output)


def test_environment(run):
    """Sets keys; an unknown name is a warning, a bad value names it."""
    status, output = run("-t", environment={"IMAPBELL_PUSH_MERGE_MS": "0"})
    assert status == CONFIG and "IMAPBELL_PUSH_MERGE_MS" in output, output
    status, output = run("-t", environment={
        "IMAPBELL_SERVICE_PORT": "tcp://10.0.0.1:993"})
    assert status == 0 and re.search("warn.*IMAPBELL_SERVICE_PORT", output)


def test_port_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = "imaps://127.0.0.1:%d" % taken.getsockname()[1]
        status, output = run("-l", url)
    assert status == SYSTEM, output
    assert url.split("//")[1] in output


@pytest.mark.parametrize("workers", ["0", "1"])
def test_port_of_the_status_in_use(run, workers):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = "127.0.0.1:%d" % taken.getsockname()[1]
        status, output = run("--status", place, "--workers", workers)
    assert status == SYSTEM, output
    assert place in output


def test_several_listeners(bell, dovecot):
    """Each is named with its real address; IPv6 and plain ones, too."""
    proxy = bell(dovecot.port, "-l", "imap://127.0.0.1:0",
                 "-l", "imaps://[::1]:0")
    urls = re.findall(r"listening url=(\S+)", proxy.log())
    assert [re.sub(r"\d+$", "N", url) for url in urls] == [
        "imaps://127.0.0.1:N", "imap://127.0.0.1:N", "imaps://[::1]:N"]
    assert all(int(url.rpartition(":")[2]) for url in urls)
    with Imap(int(urls[1].rpartition(":")[2])) as plain:
        plain.login(dovecot.user())


@pytest.mark.parametrize("options", [
    ["--apns-cert", "/absent"],
    ["--apns-cert", "{tls.server_cert}", "--apns-key", "{tls.server_key}"],
    ["--state", "/proc/absent"],
    ["-o", "watch.key_file=/proc/absent"],
], ids=["no_credential", "wrong_credential", "no_state", "no_seal_key"])
def test_push_side_never_stops_mail(bell, dovecot, tls, options):
    """A start goes on without push and says so; mail flows."""
    bell.allow(" push| apns| store| role| conf| watch")
    proxy = bell(dovecot.port, *[o.format(tls=tls) for o in options])
    client = proxy.session(dovecot.user())
    client.append("INBOX", message())
    proxy.wait_log(r" (error|warn) ")
    client.command(Phone().command())
    client.ok("NOOP")


def test_apns_away_never_stops_mail(bell, dovecot, apple):
    """Nobody at APNs: registration is OK, pushes wait and come later."""
    bell.allow(" apns| push")
    apple.refuse()
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port)
    client = proxy.session(user)
    client.ok(phone.command())
    dovecot.deliver(user, message())
    client.ok("NOOP")
    time.sleep(1)
    apple.refuse("off")
    with apple.condition:
        assert apple.condition.wait_for(
            lambda: phone.pushes(apple.requests), 60 * SLOW)


def test_term_without_sessions(bell, dovecot):
    """At once, whatever drain_s says; watchers do not count."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port, *PATIENT)
    client = proxy.session(user)
    client.ok(phone.command())
    client.logout()
    proxy.stop()


def is_refused(proxy):
    """A new session."""
    try:
        proxy.connect()
    except (ConnectionError, ssl.SSLError, Closed):
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain(bell, dovecot, number):
    """No new sessions; those there end after drain_s, with BYE."""
    proxy = bell(dovecot.port, "-o", "process.drain_s=12")
    client = proxy.session(dovecot.user())
    client.ok("SELECT INBOX")
    os.kill(proxy.pid, number)
    client.ok("NOOP")
    wait_until(lambda: all(is_refused(proxy) for _ in range(8)), "no new ones")
    client.ok("NOOP")  # and not for want of an imapbell
    assert b"* BYE " in client.rest()
    assert proxy.process.popen.wait(60 * SLOW) == 0


def test_drain_ends_with_the_last_session(bell, dovecot):
    proxy = bell(dovecot.port, *PATIENT)
    client = proxy.session(dovecot.user())
    os.kill(proxy.pid, signal.SIGTERM)
    client.ok("NOOP")
    client.logout()
    assert proxy.process.popen.wait(60 * SLOW) == 0


def test_second_signal_ends_at_once(bell, dovecot):
    proxy = bell(dovecot.port, *PATIENT)
    client = proxy.session(dovecot.user())
    os.kill(proxy.pid, signal.SIGTERM)
    proxy.wait_log("SIGTERM")  # two at once would be one
    client.ok("NOOP")
    os.kill(proxy.pid, signal.SIGTERM)
    assert proxy.process.popen.wait(60 * SLOW) == 0


def test_push_disabled_is_a_plain_proxy(bell, cyrus_aps):
    """push.enabled = false: a backend's own command passes."""
    proxy = bell(cyrus_aps.port, "-o", "push.enabled=false")
    client = proxy.session(cyrus_aps.user())
    responses = client.ok(Phone().command())
    assert b"com.apple.mail.XServer" in responses[-2]


def test_dry_run_logs_each_push(bell, dovecot):
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port, "--apns", "dry-run", "--apns-topic",
                 "com.apple.mobilemail.push.org.example")
    client = proxy.session(user)
    client.ok(phone.command())
    dovecot.deliver(user, message())
    line = proxy.wait_log(r"^.*%s.*$" % phone.token[:8].lower(), 90)[0]
    assert phone.token.lower() not in proxy.log(), line


def test_secrets_are_not_in_the_log(bell, dovecot):
    """All debug areas and a trace: neither password nor device token."""
    user, phone = dovecot.user(), Phone()
    proxy = bell(dovecot.port, "-d", "all", "--trace", "all")
    for how in ("LOGIN", "PLAIN", "PLAIN-IR"):
        client = proxy.session(user, how)
        client.ok(phone.command())
        client.logout()
    dovecot.deliver(user, message())
    log = proxy.log().lower()
    assert phone.token.lower() not in log
    assert not re.search(r'"pass"| pass\b|ahbhc3m', log), log


def test_report_catches_reports():
    """What judges each run does see what it must not overlook."""
    for line in ("==1==ERROR: LeakSanitizer: detected memory leaks",
                 "x.c:1:2: runtime error: signed integer overflow",
                 "2026-11-22T10:00:00.123Z error store disk full"):
        assert REPORT.search("harmless\n" + line + "\n")
    for line in ("2026-11-22T10:00:00.123Z info proxy[1] error=1",
                 "==1==Unable to get registers from thread 2."):
        assert not REPORT.search(line + "\n")
