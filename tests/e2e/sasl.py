# SPDX-License-Identifier: ISC
"""
The client's side of SASL: what each mechanism says and answers. Messages are
octets, base64 is authenticate()'s.
"""
import base64
import hashlib
import hmac
import json
import secrets
import time

from imap import assert_ok

# What tokens are signed with; the Dovecot of the tests believes it.
TOKEN_KEY = b"Vixen-quilt-83-Jackdaw-Fjords-Glyph"


def b64(data):
    return base64.b64encode(data)


def authenticate(client, mechanism, *steps, initial=None, tag="x"):
    """
    AUTHENTICATE |mechanism|. Each "+" is answered by the next of |steps|:
    octets, or a function from the challenge to octets; None stands for "*".
    Returns the responses up to the tagged one.
    """
    line = b"%s AUTHENTICATE %s" % (tag.encode(), mechanism.encode())
    if initial is not None:
        line += b" " + (b64(initial) or b"=")
    client.send(line + b"\r\n")
    steps = list(steps)
    responses = []
    while True:
        responses.append(client.response())
        if responses[-1].startswith(tag.encode() + b" "):
            return responses
        if responses[-1].startswith(b"+"):
            step = steps.pop(0)
            if callable(step):
                step = step(base64.b64decode(responses[-1][1:].strip()))
            client.send(b"*\r\n" if step is None else b64(step) + b"\r\n")


def plain(user, password, authzid=""):
    return ("%s\0%s\0%s" % (authzid, user, password)).encode()


def cram_md5(user, password):
    def answer(challenge):
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        return ("%s %s" % (user, digest)).encode()

    return answer


def jwt(user, key=TOKEN_KEY, seconds=3600, padding=0):
    """A token for |user|, longer by |padding| octets."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": user, "iss": "tests", "iat": int(time.time()) - 10,
              "exp": int(time.time()) + seconds}
    if padding:
        claims["padding"] = "x" * padding
    token = b".".join(part(json.dumps(p).encode()) for p in (
        {"typ": "JWT", "alg": "HS256"}, claims))
    return token + b"." + part(hmac.new(key, token, "sha256").digest())


def xoauth2(user, token):
    return b"user=%s\1auth=Bearer %s\1\1" % (user.encode(), token)


def oauthbearer(user, token):
    name = b"a=" + user.encode() if user else b""
    return b"n,%s,\1host=localhost\1port=993\1auth=Bearer %s\1\1" % (
        name, token)


def saslname(name):
    return name.replace("=", "=3D").replace(",", "=2C")


class Scram:
    """One exchange; first, final and check are its three steps."""

    def __init__(self, user, password, hash_name="sha256", authzid="",
                 flag="n"):
        self.hash_name = hash_name
        self.password = password.encode()
        self.gs2 = "%s,%s," % (flag, "a=" + saslname(authzid)
                               if authzid else "")
        self.bare = "n=%s,r=%s" % (saslname(user), secrets.token_hex(12))
        self.proved = False

    def first(self, _=None):
        return (self.gs2 + self.bare).encode()

    def final(self, challenge):
        said = dict(part.split("=", 1)
                    for part in challenge.decode().split(","))
        assert said["r"].startswith(self.bare.rsplit("=", 1)[1])
        salted = hashlib.pbkdf2_hmac(
            self.hash_name, self.password, base64.b64decode(said["s"]),
            int(said["i"]))
        without_proof = "c=%s,r=%s" % (b64(self.gs2.encode()).decode(),
                                       said["r"])
        message = ",".join((self.bare, challenge.decode(),
                            without_proof)).encode()
        key = self._hmac(salted, b"Client Key")
        signature = self._hmac(
            hashlib.new(self.hash_name, key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.signature = self._hmac(self._hmac(salted, b"Server Key"),
                                    message)
        return ("%s,p=%s" % (without_proof, b64(proof).decode())).encode()

    def check(self, challenge):
        """The server knows the password, too."""
        assert challenge == b"v=" + b64(self.signature)
        self.proved = True
        return b""

    def _hmac(self, key, data):
        return hmac.new(key, data, self.hash_name).digest()


def login(client, how, user, password="pass"):
    """Logs in by |how|: a mechanism, with "-IR" an initial response."""
    name, ir = (how[:-3], True) if how.endswith("-IR") else (how, False)
    if name.startswith("SCRAM"):
        scram = Scram(user, password, name[6:].replace("-", "").lower())
        steps = [scram.first, scram.final, scram.check]
    elif name == "LOGIN":
        steps = [user.encode(), password.encode()]
    elif name == "CRAM-MD5":
        steps = [cram_md5(user, password)]
    elif name == "XOAUTH2":
        steps = [xoauth2(user, jwt(user)), b""]
    elif name == "OAUTHBEARER":
        steps = [oauthbearer(user, jwt(user)), b"\1"]
    else:
        steps = [plain(user, password)]
    initial = None
    if ir:
        initial = steps.pop(0)
        if callable(initial):
            initial = initial()
    responses = authenticate(client, name, *steps, initial=initial)
    assert_ok(responses[-1])
    if name.startswith("SCRAM"):
        assert scram.proved
    return responses
