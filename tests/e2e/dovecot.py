# SPDX-License-Identifier: ISC
"""A throw-away Dovecot 2.3: IMAP, IMAPS and LMTP on loopback, any user."""
import grp
import itertools
import os
import pwd
from pathlib import Path

import lmtp
from process import Process, free_port

CONF = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_plugins = zlib
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = static
  args = password=pass
}}
passdb {{
  driver = static
  args = password={secret}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
# Failed logins of other tests must not slow this one's down.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_zlib
  mail_max_userip_connections = 1000
}}
"""

# Everything as the one who starts it, when that is not root.
ROOTLESS = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """
    |certs|: the paths server_cert and server_key. The password of each user is
    pass, and also |secret|, which is found nowhere by chance.
    """

    name = "dovecot"
    prefix = ""
    secret = "Zebra-quartz:19-Vowels"

    def __init__(self, folder, certs, extra=""):
        self.folder = Path(folder)
        (self.folder / "home").mkdir(parents=True)
        (self.folder / "home").chmod(0o777)
        self.port = free_port()
        self.tls_port = free_port()
        self.lmtp_port = free_port()
        user, group = "nobody", "nogroup"
        if os.getuid() != 0:
            user = pwd.getpwuid(os.getuid()).pw_name
            group = grp.getgrgid(os.getgid()).gr_name
            extra += ROOTLESS.format(user=user, group=group)
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(CONF.format(
            folder=self.folder, cert=certs.server_cert, key=certs.server_key,
            user=user, group=group, secret=self.secret, port=self.port, tls_port=self.tls_port,
            lmtp_port=self.lmtp_port) + extra)
        self.users = ("user%d" % n for n in itertools.count(1))
        self.process = Process(["/usr/sbin/dovecot", "-F", "-c", self.conf],
                               self.folder / "output")
        self.process.wait_listening(self.port, self.tls_port, self.lmtp_port)

    def user(self):
        """A user whom nobody else has."""
        return next(self.users)

    def deliver(self, user, data):
        return lmtp.deliver(self.lmtp_port, user, data)

    def stop(self):
        self.process.stop()
