# SPDX-License-Identifier: ISC
"""
A throw-away Dovecot 2.3: IMAP, IMAPS, both for the PROXY protocol, and LMTP on
loopback, any user.
"""
import base64
import grp
import itertools
import os
import pwd
from pathlib import Path

import lmtp
from process import Process, free_port, next_second
from sasl import TOKEN_KEY

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
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 \
  xoauth2 oauthbearer
auth_master_user_separator = *
mail_location = maildir:~/Maildir
# Should inotify have missed a file, or be used up.
mailbox_idle_check_interval = 5 secs
first_valid_uid = 1
mail_plugins = zlib
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  master = yes
  args = {folder}/masters
  result_success = continue
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
{passdb}
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
  # Where each connection begins with a PROXY header.
  inet_listener imap_proxied {{
    port = {proxied_port}
    haproxy = yes
  }}
  inet_listener imaps_proxied {{
    port = {proxied_tls_port}
    ssl = yes
    haproxy = yes
  }}
}}
haproxy_trusted_networks = 127.0.0.0/8
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

# Whoever it is.
ANYBODY = """
passdb {{
  driver = static
  args = password=pass
}}
passdb {{
  driver = static
  args = password={secret}
}}
"""

# Those who were given a password.
NAMED = """
passdb {{
  driver = passwd-file
  args = {folder}/passwords
}}
"""

# Tokens are checked on the spot.
OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
issuers = tests
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
    pass, and also |secret|, which is found nowhere by chance; with |named| it
    is what set_password says. |master| may log in as anybody; alone, only as
    the password database has it.
    """

    name = "dovecot"
    prefix = ""
    secret = "Zebra-quartz:19-Vowels"
    master = ("master", "Qualm-69-master-Jinx")

    def __init__(self, folder, certs, extra="", named=False):
        self.folder = Path(folder)
        self.named = named
        self.changes = 0
        (self.folder / "home").mkdir(parents=True)
        (self.folder / "home").chmod(0o777)
        self.port = free_port()
        self.tls_port = free_port()
        self.proxied_port = free_port()
        self.proxied_tls_port = free_port()
        self.lmtp_port = free_port()
        user, group = "nobody", "nogroup"
        if os.getuid() != 0:
            user = pwd.getpwuid(os.getuid()).pw_name
            group = grp.getgrgid(os.getgid()).gr_name
            extra += ROOTLESS.format(user=user, group=group)
        self.conf = self.folder / "dovecot.conf"
        (self.folder / "masters").write_text("%s:{PLAIN}%s\n" % self.master)
        (self.folder / "passwords").touch()
        (self.folder / "oauth2.conf").write_text(
            OAUTH2.format(folder=self.folder))
        key = self.folder / "keys/default/HS256/default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(TOKEN_KEY))
        passdb = (NAMED if named else ANYBODY).format(folder=self.folder,
                                                      secret=self.secret)
        self.conf.write_text(CONF.format(
            folder=self.folder, cert=certs.server_cert, key=certs.server_key,
            user=user, group=group, passdb=passdb, port=self.port,
            tls_port=self.tls_port, proxied_port=self.proxied_port,
            proxied_tls_port=self.proxied_tls_port,
            lmtp_port=self.lmtp_port) + extra)
        self.users = ("user%d" % n for n in itertools.count(1))
        self.process = Process(["/usr/sbin/dovecot", "-F", "-c", self.conf],
                               self.folder / "output")
        self.process.wait_listening(self.port, self.tls_port, self.lmtp_port)

    def user(self):
        """A user whom nobody else has."""
        user = next(self.users)
        if self.named:
            self.set_password(user, "pass")
        return user

    def set_password(self, user, password):
        """Another one from now on; sessions that there are stay."""
        lines = (self.folder / "passwords").read_text().splitlines()
        lines = [line for line in lines if not line.startswith(user + ":")]
        draft = self.folder / "passwords.new"
        draft.write_text("\n".join(lines + ["%s:{PLAIN}%s" % (user, password),
                                            ""]))
        # It looks at the file once a second, and for another time.
        self.changes += 1
        os.utime(draft, (self.changes, self.changes))
        draft.rename(self.folder / "passwords")
        next_second()

    def log(self):
        path = self.folder / "dovecot.log"
        return path.read_text() if path.exists() else ""

    def logins(self, user):
        """The lines of |user|'s logins in its log, there as soon as they are
        answered."""
        return [line for line in self.log().splitlines()
                if "Login: user=<%s>" % user in line]

    def deliver(self, user, data):
        return lmtp.deliver(self.lmtp_port, user, data)

    def stop(self):
        self.process.stop()
