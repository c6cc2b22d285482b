# SPDX-License-Identifier: ISC
"""
Programs that people use do a whole job through imapbell, with the same result
as with the server itself.
"""
import contextlib
import imaplib
import os
import pty
import re
import select
import ssl
import subprocess
import time

import pytest

from imap import Imap
from lmtp import message
from process import PATIENCE, SLOW

MESSAGES = 500
DIRECT, PROXIED = "direct", "proxied"


def mail(n):
    """The |n|th message, CRLF line ends; some hold what looks like IMAP."""
    return (b"From: anna@example.org\r\nTo: ben@example.org\r\n"
            b"Subject: message %d {%d}\r\nMessage-ID: <%d@example.org>\r\n"
            b"Date: Sun, 01 Mar 2026 10:%02d:%02d +0000\r\n\r\n%s" % (
                n, n, n, n // 60, n % 60,
                b"* CAPABILITY IMAP4rev1\r\na OK done {%d}\r\n" % n * (n % 9)
                or b"hello\r\n"))


class Place:
    """Where a client logs in; |port| speaks TLS."""

    def __init__(self, server, port, ca, user, folder):
        self.server = server
        self.port = port
        self.ca = ca
        self.user = user
        self.folder = folder

    def fill(self, numbers):
        """Puts messages into the server's INBOX, all with one command."""
        with Imap(self.server.port) as client:
            client.login(self.user)
            client.send(b"x APPEND INBOX" + b"".join(
                b" {%d+}\r\n%s" % (len(mail(n)), mail(n)) for n in numbers)
                + b"\r\n")
            client.until("x")

    def stored(self, mailbox="INBOX"):
        """What the server holds: flags and octets of each message."""
        with Imap(self.server.port) as client:
            client.login(self.user)
            client.ok("EXAMINE " + mailbox)
            return sorted(re.sub(
                rb"\A\* \d+ FETCH |(?m:^X-TUID: .*\r\n)| ?\\Recent|\{\d+\}",
                b"", response) for response in client.ok(
                    "FETCH 1:* (FLAGS BODY.PEEK[])")[:-1])


@pytest.fixture
def places(bell, dovecot, tmp_path):
    """The same, asked directly and through imapbell."""
    proxy = bell(dovecot.port)
    found = {}
    for name, port in ((DIRECT, dovecot.tls_port), (PROXIED, proxy.port)):
        (tmp_path / name).mkdir()
        found[name] = Place(dovecot, port, proxy.ca, dovecot.user(),
                            tmp_path / name)
    return found


def both(places, job):
    """The results of |job| at the two places, which must be the same."""
    results = {name: job(place) for name, place in places.items()}
    assert results[PROXIED] == results[DIRECT]
    return results[PROXIED]


def run(*args, **how):
    done = subprocess.run([str(arg) for arg in args], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=PATIENCE * SLOW, **how)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


MBSYNC = """\
IMAPStore far
Host localhost
Port {port}
User {user}
Pass pass
SSLType IMAPS
CertificateFile {ca}

MaildirStore near
Path {folder}/Mail/
Inbox {folder}/Mail/INBOX
SubFolders Verbatim

Channel mail
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""


def maildir(folder):
    """Flags and octets of each message in it."""
    return sorted((path.name.partition(":2,")[2],
                   re.sub(rb"(?m)^X-TUID: .*\n", b"", path.read_bytes()))
                  for part in ("cur", "new") for path
                  in (folder / part).iterdir())


def change(folder):
    """Reads, flags and deletes some, by what is in them."""
    for path in list((folder / "cur").iterdir()) + list(
            (folder / "new").iterdir()):
        n = int(re.search(rb"Message-ID: <(\d+)@", path.read_bytes())[1])
        flags = "T" if n % 50 == 0 else "FS" if n % 7 == 0 else "S"
        path.rename(folder / "cur" / (path.name.partition(":")[0]
                                      + ":2," + flags))


def sync(place):
    """Half of the messages are here, half there; then all are everywhere."""
    conf = place.folder / "mbsyncrc"
    conf.write_text(MBSYNC.format(port=place.port, user=place.user,
                                  ca=place.ca, folder=place.folder))
    inbox = place.folder / "Mail/INBOX"
    for part in ("cur", "new", "tmp"):
        (inbox / part).mkdir(parents=True)
    for n in range(MESSAGES // 2):
        (inbox / "new" / ("%d.x.y" % n)).write_bytes(
            mail(n).replace(b"\r\n", b"\n"))
    place.fill(range(MESSAGES // 2, MESSAGES))
    results = []
    for _ in range(2):
        run("mbsync", "-q", "-c", conf, "mail")
        results.append((maildir(inbox), place.stored()))
        change(inbox)
    return results


def test_mbsync(places):
    (near, far), (later, far_later) = both(places, sync)
    assert len(near) == len(far) == MESSAGES
    assert len(later) == len(far_later) == MESSAGES - MESSAGES // 50


def curl(place, path, *options):
    return run("curl", "-sS", "--cacert", place.ca, "-u",
               place.user + ":pass", "imaps://localhost:%d/%s"
               % (place.port, path), *options)


def curl_job(place):
    place.fill(range(20))
    upload = place.folder / "upload"
    upload.write_bytes(mail(20))
    curl(place, "INBOX", "-T", upload)
    return [
        curl(place, ""), curl(place, "INBOX;MAILINDEX=3"),
        curl(place, "INBOX;UID=5;SECTION=TEXT"),
        curl(place, "INBOX;UID=21"), curl(place, "INBOX?SUBJECT%20message"),
        curl(place, "INBOX", "-X", "STORE 1 +FLAGS (\\Seen)"),
        curl(place, "INBOX", "-X", "FETCH 1:* (FLAGS RFC822.SIZE)"),
        place.stored()]


def test_curl(places):
    results = both(places, curl_job)
    assert results[1] == mail(2) and results[3] == mail(20)
    assert len(results[-1]) == 21


def imaplib_job(place):
    client = imaplib.IMAP4_SSL("localhost", place.port, timeout=PATIENCE * SLOW,
                               ssl_context=ssl.create_default_context(
                                   cafile=place.ca))
    said = []

    def do(name, *args):
        kind, data = getattr(client, name)(*args)
        said.append((name, kind, [re.sub(
            rb"\(\d+\.\d+ .*secs\)|(APPENDUID|COPYUID) \d+"
            rb"|\[CAPABILITY [^]]*\] ?", b"", line)
            if isinstance(line, bytes) else line for line in data]))
        assert kind == "OK", said[-1]

    do("login", place.user, "pass")
    do("select")
    for n in range(60):
        do("append", "INBOX", "\\Seen" if n % 2 else None,
           '"01-Mar-2026 10:00:00 +0000"', mail(n))
    do("noop")
    do("search", None, "SUBJECT", '"message 5"')
    do("uid", "SEARCH", "SEEN")
    do("fetch", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    do("sort", "(REVERSE SUBJECT)", "UTF-8", "ALL")
    do("thread", "REFERENCES", "UTF-8", "ALL")
    do("create", "Other")
    do("copy", "1:30", "Other")
    do("store", "1:30", "+FLAGS.SILENT", "(\\Deleted)")
    do("expunge")
    do("list")
    do("status", "Other", "(MESSAGES UNSEEN)")
    # It has no IDLE of its own before Python 3.14.
    tag = client._new_tag()
    client.send(tag + b" IDLE\r\n")
    assert client.readline().startswith(b"+")
    place.server.deliver(place.user, message())
    while client.readline() != b"* 31 EXISTS\r\n":
        pass
    client.send(b"DONE\r\n")
    while not client.readline().startswith(tag + b" OK"):
        pass
    do("close")
    assert client.logout()[0] == "BYE"
    return said


def test_imaplib(places):
    assert len(both(places, imaplib_job)) > 70


class Terminal:
    """A program under a pseudo terminal."""

    def __init__(self, *args):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LINES="24", COLUMNS="80",
                              LANG="C.UTF-8")
            os.execvp(args[0], [str(arg) for arg in args])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)  # the program is sent SIGHUP
        os.waitpid(self.pid, 0)

    def type(self, keys):
        os.write(self.fd, keys)

    def wait(self, text, seconds=PATIENCE):
        """Until |text| was seen, after what was waited for before."""
        end = time.monotonic() + seconds * SLOW
        while text not in self.seen:
            if not select.select([self.fd], [], [],
                                 max(0, end - time.monotonic()))[0]:
                raise TimeoutError("%r: not in %r" % (text, self.seen))
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                raise AssertionError("ended: %r" % self.seen) from None
        self.seen = self.seen.partition(text)[2]

    def end(self, seconds=PATIENCE):
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], seconds * SLOW)[0]:
                if os.read(self.fd, 65536) == b"":
                    break


MUTTRC = """\
set folder = "imaps://localhost:{port}/"
set spoolfile = "+INBOX"
set imap_user = "{user}"
set imap_pass = "pass"
set certificate_file = "{ca}"
set ssl_verify_host = yes
set imap_idle = yes
set mail_check = 1
set timeout = 1
set quit = yes
set confirmappend = no
set confirmcreate = no
set delete = yes
set resolve = no
set wait_key = no
set mbox_type = mbox
"""


def mutt_job(place):
    """Searches on the server, copies, deletes, hears of new mail, appends."""
    place.fill(range(100))
    conf = place.folder / "muttrc"
    conf.write_text(MUTTRC.format(port=place.port, user=place.user,
                                  ca=place.ca))
    copies = place.folder / "copies"
    with Terminal("mutt", "-n", "-F", conf) as mutt:
        mutt.wait(b"message 10")
        mutt.type(b"T=B hello\r;C\x15%s\r" % str(copies).encode())
        mutt.type(b"D~s message.9[0-9]\r$")
        mutt.wait(b"10 deleted")
        stored = place.stored()
        place.server.deliver(place.user, message())
        mutt.wait(b"New mail in this mailbox")
        mutt.type(b"q")
        mutt.end()
    with Terminal("mutt", "-n", "-F", conf, "-f", copies) as mutt:
        mutt.wait(b"message 9")
        mutt.type(b"T~A\r;C\x15+Archive\rq")
        mutt.end()
    return (re.sub(rb"(?m)^From .*\n", b"", copies.read_bytes()), stored,
            place.stored("Archive"))


def test_mutt(places):
    copies, stored, archive = both(places, mutt_job)
    hello = len(range(0, 100, 9))
    assert copies.count(b"Message-ID: ") == len(archive) == hello
    assert len(stored) == 90
