#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
Test certificates for the APNs stand-in, made with the openssl command: a CA, a
server certificate for localhost, and client certificates such as Apple issues
for push: the subject's UID is the topic, extension 1.2.840.113635.100.6.3.6
lists all topics.

    apns_certs.py DIRECTORY [--topic TOPIC] [--expired]
"""
import argparse
import datetime
import os
import subprocess
import tempfile

TOPIC = "com.apple.mobilemail.push.org.example"

CA_CONF = """
[ca]
default_ca = here
[here]
dir = {work}
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = optional
userId = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[client]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
{apple}
"""

# The markers are development (6.3.1) and production (6.3.2).
APPLE_CONF = """
1.2.840.113635.100.6.3.1 = DER:0500
1.2.840.113635.100.6.3.2 = DER:0500
1.2.840.113635.100.6.3.6 = ASN1:SEQUENCE:topics
[topics]
{topics}
{kinds}
"""


def _openssl(*args):
    done = subprocess.run(("openssl",) + args, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (args[0], done.stderr.strip()))


def _apple(topics):
    """The extensions of a certificate that lists |topics|; none if empty."""
    if not topics:
        return ""
    lines = []
    kinds = []
    for i, topic in enumerate(topics):
        lines.append("t%d = UTF8:%s" % (2 * i, topic))
        lines.append("t%d = SEQUENCE:kind%d" % (2 * i + 1, i))
        kinds.append("[kind%d]\nk = UTF8:app" % i)
    return APPLE_CONF.format(topics="\n".join(lines), kinds="\n".join(kinds))


class Certs:
    """
    Makes what is missing in |directory|: ca.pem, server.pem, server.key,
    client.pem, client.key; the attributes ca, server_cert, server_key,
    client_cert and client_key are their paths.
    """

    def __init__(self, directory, topic=TOPIC, topics=None):
        self.directory = os.path.abspath(directory)
        self.topic = topic
        os.makedirs(self.directory, exist_ok=True)
        self.ca = self.path("ca.pem")
        if not os.path.exists(self.ca):
            self._root()
        self.server_cert, self.server_key = self.issue(
            "server", "/CN=localhost", section="server", keep=True)
        self.client_cert, self.client_key = self.client(
            "client", topic, topics, keep=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def client(self, name, topic=TOPIC, topics=None, keep=False, **how):
        """
        An Apple-like certificate |name|.pem with |name|.key. |topics| are those
        of the extension: by default |topic| and two derived from it, as Apple
        does; () leaves Apple's extensions out. Returns both paths.
        """
        if topics is None:
            topics = (topic, topic + ".voip", topic + ".complication")
        return self.issue(name, "/UID=%s/CN=Apple Push Services: %s"
                          % (topic, topic), apple=_apple(topics), keep=keep,
                          **how)

    def issue(self, name, subject, section="client", apple="", days=365,
              start_days=0, key="rsa:2048", digest="sha256", keep=False):
        """
        A certificate signed by the CA, valid from |start_days| from now for
        |days|: start_days=-10, days=5 has expired. Returns both paths.
        """
        cert = self.path(name + ".pem")
        secret = self.path(name + ".key")
        if keep and os.path.exists(cert) and os.path.exists(secret):
            return cert, secret
        start = (datetime.datetime.now(datetime.timezone.utc)
                 + datetime.timedelta(days=start_days, minutes=-5))
        end = start + datetime.timedelta(days=days)
        with tempfile.TemporaryDirectory() as work:
            conf = self._conf(work, apple)
            request = os.path.join(work, "request")
            _openssl("req", "-new", "-newkey", key, "-nodes", "-keyout",
                     secret, "-subj", subject, "-out", request, "-config",
                     conf + ".req")
            _openssl("ca", "-batch", "-notext", "-config", conf, "-name",
                     "here", "-md", digest, "-cert", self.ca, "-keyfile",
                     self.path("ca.key"), "-extensions", section, "-in",
                     request, "-out", cert, "-startdate",
                     start.strftime("%Y%m%d%H%M%SZ"), "-enddate",
                     end.strftime("%Y%m%d%H%M%SZ"))
        os.chmod(secret, 0o600)
        return cert, secret

    def _root(self):
        with tempfile.TemporaryDirectory() as work:
            conf = self._conf(work, "")
            _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                     "3650", "-keyout", self.path("ca.key"), "-out", self.ca,
                     "-subj", "/CN=imapbell test CA", "-config",
                     conf + ".req", "-extensions", "root")
        os.chmod(self.path("ca.key"), 0o600)

    def _conf(self, work, apple):
        conf = os.path.join(work, "conf")
        text = CA_CONF.format(work=work, apple=apple)
        with open(conf, "w") as f:
            f.write(text)
        with open(conf + ".req", "w") as f:
            f.write("[req]\ndistinguished_name = dn\n[dn]\n" + text)
        with open(os.path.join(work, "index"), "w"):
            pass
        with open(os.path.join(work, "serial"), "w") as f:
            f.write("01%s\n" % os.urandom(8).hex())
        return conf


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("directory")
    args.add_argument("--topic", default=TOPIC)
    args.add_argument("--expired", action="store_true",
                      help="also expired.pem and expired.key")
    opts = args.parse_args()
    certs = Certs(opts.directory, opts.topic)
    if opts.expired:
        certs.client("expired", opts.topic, start_days=-400)
    print(certs.directory)


if __name__ == "__main__":
    main()
