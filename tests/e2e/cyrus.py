# SPDX-License-Identifier: ISC
"""
A throw-away Cyrus 3.6 on loopback, optionally with its own XAPPLEPUSHSERVICE.
Its package cyrus-imapd is unpacked only (see packages.sh).
"""
import itertools
import shutil
import subprocess
from pathlib import Path

import lmtp
from process import Process, free_port, wait_until

SYSTEM = "/usr/lib/cyrus/bin"
IMAPD = """\
configdirectory: {folder}/conf
defaultpartition: default
partition-default: {folder}/spool
admins: cyrus
proxyservers: master
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: {mechanisms}
servername: localhost
virtdomains: off
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_post: 1
idlesocket: {folder}/run/idle
lmtpsocket: {folder}/run/lmtp
master_bind_errors_fatal: 1
imapidlepoll: 5
conversations: no
cyrus_user: cyrus
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
quota_db_path: {folder}/conf/quotas.db
"""
APS = """\
aps_topic: {topic}
event_groups: message applepushservice mailbox access
event_notifier: log
"""
MASTER = """\
START {{
  recover cmd="{system}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{port}" \
proto=tcp4 prefork=1 maxchild=1000
  lmtp cmd="{system}/lmtpd -a -C {folder}/imapd.conf" \
listen="127.0.0.1:{lmtp_port}" proto=tcp4 prefork=0
}}
DAEMON {{
  idled cmd="{bin}/idled -C {folder}/imapd.conf"
}}
"""


class Cyrus:
    """
    |topic|: what its own XAPPLEPUSHSERVICE answers; None: it has none.
    |mechanisms| of SASL.
    """

    name = "cyrus"
    prefix = ""
    master = ("master", "Qualm-69-master-Jinx")

    def __init__(self, folder, unpacked, topic=None,
                 mechanisms="PLAIN LOGIN"):
        self.folder = folder = Path(folder)
        for part in ("conf/socket", "conf/msg", "conf/log", "conf/ptclient",
                     "conf/sync", "spool", "run"):
            (folder / part).mkdir(parents=True)
        root = folder / "root"
        shutil.copytree(unpacked, root, symlinks=True)
        self.users = ("user%d" % n for n in itertools.count())
        self.port = free_port()
        self.lmtp_port = free_port()
        names = dict(folder=folder, bin=root / "usr/lib/cyrus/bin",
                     system=SYSTEM, topic=topic, port=self.port,
                     lmtp_port=self.lmtp_port, mechanisms=mechanisms)
        (folder / "imapd.conf").write_text(
            (IMAPD + (APS if topic else "")).format(**names))
        (folder / "cyrus.conf").write_text(MASTER.format(**names))
        self.set_password(*self.master)  # makes the database
        subprocess.run(["chown", "-R", "cyrus:mail", folder], check=True)
        self.process = Process(
            [SYSTEM + "/master", "-C", folder / "imapd.conf", "-M",
             folder / "cyrus.conf", "-p", folder / "run/master.pid"],
            folder / "master.log")
        self.process.wait_listening(self.port, self.lmtp_port)
        wait_until((folder / "run/idle").exists, "idled")

    def user(self):
        """A user whom nobody else has."""
        name = next(self.users)
        self.set_password(name, "pass")
        return name

    def set_password(self, user, password):
        """Another one from now on; sessions that there are stay."""
        subprocess.run(["saslpasswd2", "-p", "-c", "-u", "localhost", "-f",
                        self.folder / "sasldb2", user],
                       input=password.encode(), check=True)

    def deliver(self, user, data):
        return lmtp.deliver(self.lmtp_port, user, data)

    def stop(self):
        self.process.stop()
