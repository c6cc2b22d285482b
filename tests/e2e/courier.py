# SPDX-License-Identifier: ISC
"""
A throw-away Courier-IMAP 5 on loopback. Its package is unpacked only (see
packages.sh); it runs in mount namespaces in which /etc/courier and
/run/courier are its own.
"""
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from process import Process, free_port, wait_until

USERS = 2000
CAPABILITY = ("IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT "
              "THREAD=REFERENCES SORT QUOTA IDLE AUTH=PLAIN")
AUTHDAEMONRC = """\
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=5
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
LOGGEROPTS=""
"""


class Courier:
    """|unpacked|: the folder with courier-imap's files."""

    name = "courier"
    prefix = "INBOX."
    lmtp_port = None

    def __init__(self, folder, unpacked):
        self.folder = folder = Path(folder)
        for part in ("etc/shared", "run/authdaemon", "home"):
            (folder / part).mkdir(parents=True)
        (folder / "etc/authdaemonrc").write_text(AUTHDAEMONRC)
        for part in ("run", "run/authdaemon"):
            shutil.chown(folder / part, "courier", "courier")
            (folder / part).chmod(0o755)
        # Users have no access to where the package was unpacked.
        self.root = folder / "root"
        shutil.copytree(unpacked, self.root, symlinks=True)
        self._make_users()
        self.users = ("user%d" % n for n in range(1, USERS + 1))
        self.port = free_port()
        self._run("makeuserdb", "makeuserdb").popen.wait()
        self.auth = self._run("auth",
                              "/usr/lib/courier/courier-authlib/authdaemond")
        wait_until((folder / "run/authdaemon/socket").exists,
                   "courier-authdaemon")
        self.imapd = self._run(
            "imapd", "couriertcpd", "-address=127.0.0.1", "-maxprocs=2000",
            "-maxperip=2000", "-nodnslookup", "-noidentlookup", self.port,
            self.root / "usr/lib/courier/courier/imaplogin",
            self.root / "usr/bin/imapd", "Maildir")
        self.imapd.wait_listening(self.port)

    def _run(self, name, *args):
        environment = dict(
            os.environ, IMAP_CAPABILITY=CAPABILITY, IMAP_KEYWORDS="1",
            IMAP_ACL="1", IMAP_IDLE_TIMEOUT="5", IMAP_ENHANCEDIDLE="1",
            IMAP_MAILBOX_SANITY_CHECK="1", IMAP_USELOCKS="1",
            IMAP_TRASHFOLDERNAME="Trash", IMAP_UMASK="022",
            IMAP_SHAREDINDEXFILE="/etc/courier/shared/index",
            IMAP_TLS_REQUIRED="0")
        mounts = ('mkdir -p /run/courier && mount --bind "$0/etc" /etc/courier'
                  ' && mount --bind "$0/run" /run/courier && exec "$@"')
        return Process(["unshare", "--mount", "--propagation", "private",
                        "sh", "-c", mounts, self.folder, *args],
                       self.folder / (name + ".log"), environment)

    def _make_users(self):
        password = subprocess.check_output(
            ["openssl", "passwd", "-1", "pass"], text=True).strip()
        nobody = pwd.getpwnam("nobody")
        rows = []
        for n in range(1, USERS + 1):
            home = self.folder / "home" / ("user%d" % n)
            rows.append("user%d\thome=%s|uid=%d|gid=%d|mail=%s/Maildir|"
                        "systempw=%s|imappw=%s\n"
                        % (n, home, nobody.pw_uid, nobody.pw_gid, home,
                           password, password))
        (self.folder / "etc/userdb").write_text("".join(rows))
        (self.folder / "etc/userdb").chmod(0o600)

    def user(self):
        """A user whom nobody else has."""
        user = next(self.users)
        for part in ("", "Maildir", "Maildir/cur", "Maildir/new",
                     "Maildir/tmp"):
            folder = self.folder / "home" / user / part
            folder.mkdir()
            shutil.chown(folder, "nobody", "nogroup")
        return user

    def deliver(self, user, data):
        """Drops the message into the Maildir as a delivery agent does."""
        maildir = self.folder / "home" / user / "Maildir"
        name = "%d.%d.test" % (time.time(), time.monotonic_ns())
        (maildir / "tmp" / name).write_bytes(data.replace(b"\r\n", b"\n"))
        shutil.chown(maildir / "tmp" / name, "nobody", "nogroup")
        (maildir / "tmp" / name).rename(maildir / "new" / name)
        return time.monotonic_ns()

    def stop(self):
        self.imapd.stop()
        self.auth.stop()
