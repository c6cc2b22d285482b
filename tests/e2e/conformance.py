# SPDX-License-Identifier: ISC
"""
Plays a dialogue with a server and writes down what it said: directly, as a
careful client would, and through imapbell, cut as one likes. After normalise()
the two are the same.
"""
import difflib
import random
import re

from imap import Closed, Imap
from lmtp import message
from process import next_second

CLOSED = b"<closed>"
MAILS = [
    b"From: Anna <anna@example.org>\r\nTo: Ben <ben@example.org>\r\n"
    b"Subject: first\r\nMessage-ID: <1@example.org>\r\n"
    b"Date: Sun, 01 Mar 2026 10:00:00 +0000\r\n\r\nHow do you do?\r\n",
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\n"
    b"To: anna@example.org, \"B. {3}\" <ben@example.org>\r\n"
    b"Cc: undisclosed:;\r\nSubject: second \"quoted\" \\ {5}\r\n"
    b"In-Reply-To: <1@example.org>\r\nReferences: <1@example.org>\r\n"
    b"Message-ID: <2@example.org>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_\"\r\n"
    b"\r\n--=_\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    b"--=_\r\nContent-Type: application/octet-stream; name=x\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAECAwAN\r\n--=_--\r\n",
    b"From: mallory@example.org\r\nSubject: * CAPABILITY IMAP4rev1 {9}\r\n"
    b"Message-ID: <3@example.org>\r\nDate: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
    b"\r\n* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n"
    b"a1 OK [CAPABILITY IMAP4rev1 STARTTLS] done\r\n* BYE\r\n+ go on\r\n)\r\n"
    b'x XAPPLEPUSHSERVICE "aps-version" "2"\r\nDONE\r\n',
]
DATED = "APPEND INBOX%s \"0%d-Mar-2026 10:00:00 +0000\" "
FLAGS = ["", " (\\Seen)", " (\\Flagged custom)"]


class Until:
    """A step: wait for a response that begins like |pattern|."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern.encode())


class Deliver:
    """
    A step: a mail arrives, |seconds| after the one in which the last step was
    over: what comes too early after a NOTIFY, Dovecot says nothing of.
    """

    def __init__(self, seconds=0):
        self.seconds = seconds


class Dialogue:
    """
    |steps|: str, lines for one segment; bytes, a segment as it is; both are
    followed by waiting for the tagged reply to the last line, or if that ends
    in {n} for "+" (if it is refused, the next step is left out), unless an
    Until comes next. <USER> is the user, <P> the prefix of mailboxes.

    What differs through imapbell: |own|, the answer to the command of a tag
    is its own (a list of lines), given |rule|; |expect|, all it says, given
    |rule|; |direct|, the steps when asked directly, because the server itself
    goes wrong with |steps|. With |polite| the direct client waits with each
    literal until it is asked for, as imapbell does for everybody; of a server
    without LITERAL+ it always does. Dovecot works on
    several commands at once: only if it is |pipelined| it gets more than a
    line at a time, and then its replies come in any order.
    """

    def __init__(self, name, *steps, mails=0, select=True, login=True, own=(),
                 expect=None, rule=None, direct=None, polite=False,
                 pipelined=False, servers=("dovecot", "courier", "cyrus")):
        self.name = name
        self.steps = steps
        self.mails = mails
        self.select = select
        self.login = login
        self.own = dict(own)
        self.expect = expect
        self.rule = rule
        self.direct = direct
        self.polite = polite
        self.pipelined = pipelined
        self.servers = servers
        assert (rule is not None) == bool(own or expect), name


# chunkings: how a segment goes out

def whole(data):
    return [data]


def octets(data):
    return [data[i:i + 1] for i in range(len(data))]


class Cuts:
    """At random; the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, data):
        pieces = []
        while data:
            size = self.random.choice((1, 2, 3, 7, 20, 100, 5000))
            pieces.append(data[:size])
            data = data[size:]
        return pieces


# playing

LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n\Z")
NONSYNC = re.compile(rb"\{0*(\d+)\+\}\r?\n")


def commands(data):
    """|data| as commands: lists of lines and literals by turns."""
    found = []
    while data:
        parts = []
        while data:
            end = data.index(b"\n") + 1
            line, data = data[:end], data[end:]
            parts.append(line)
            literal = LITERAL.search(line)
            if literal is None:
                break
            size = int(literal[1])
            parts.append(data[:size])
            data = data[size:]
        found.append(parts)
    return found


class Player:
    """One run; |heard| is what the server said, response by response."""

    def __init__(self, client, server, user, cut=whole):
        self.client = client
        self.server = server
        self.user = user
        self.cut = cut
        self.heard = []

    def octets(self, step):
        data = step if isinstance(step, bytes) else (
            step.strip("\n").replace("\n", "\r\n") + "\r\n").encode()
        return data.replace(b"<USER>", self.user.encode()).replace(
            b"<P>", self.server.prefix.encode())

    def send(self, data):
        try:
            for piece in self.cut(data):
                self.client.send(piece)
        except OSError:
            pass  # it closed; what it said before is still to be read

    def until(self, pattern):
        while True:
            self.heard.append(self.client.response())
            if re.match(pattern, self.heard[-1]):
                return self.heard[-1]

    def answer(self, tag, plus=False):
        """Waits for the reply to |tag|, or for "+"."""
        return self.until(rb"%s (OK|NO|BAD)\b%s" % (
            re.escape(tag), rb"|\+" if plus else b""))

    def play(self, steps, polite=False, by_line=False):
        """A NOOP at the end, unless the server closes."""
        steps = list(split_lines(steps) if by_line else steps)
        refused = False
        try:
            for step, after in zip(steps, steps[1:] + [None]):
                if refused:
                    refused = False
                elif isinstance(step, Deliver):
                    for _ in range(step.seconds):
                        next_second()
                    self.server.deliver(self.user, message())
                elif isinstance(step, Until):
                    self.until(step.pattern)
                elif polite:
                    for command in commands(self.octets(step)):
                        self.ask(command)
                else:
                    refused = self.say(self.octets(step),
                                       isinstance(after, Until))
            self.say(b"end NOOP\r\n", False)
        except Closed:
            self.heard.append(CLOSED)

    def say(self, data, waits):
        """Whether the literal that |data| announces was refused."""
        self.send(data)
        if waits:
            return False
        announced = LITERAL.search(data) is not None
        answer = self.answer(first_word(commands(data)[-1][0]), announced)
        return announced and not answer.startswith(b"+")

    def ask(self, parts):
        """One command, each literal only if the server asks for it."""
        tag = first_word(parts[0])
        for line, literal in zip(parts[0::2], parts[1::2]):
            self.send(NONSYNC.sub(rb"{\1}\r\n", line))
            if not self.answer(tag, True).startswith(b"+"):
                return
            self.send(literal)
        self.send(parts[-1])
        self.answer(tag)


def split_lines(steps):
    """Line by line; DONE has no reply of its own."""
    for step in steps:
        yield from (re.split(r"(?i)(?<!done)\n", step.strip("\n"))
                    if isinstance(step, str) else [step])


def first_word(line):
    return line.split()[0] if line.split() else b""


def is_polite(dialogue, name):
    return dialogue.polite or name == "courier" and any(
        NONSYNC.search(step) for step in dialogue.steps
        if isinstance(step, bytes))


def is_by_line(dialogue, name):
    return name == "dovecot" and not dialogue.pipelined


def begin(player, dialogue):
    """Logs in and prepares the mailbox; what is said to that counts, too."""
    client = player.client
    if not dialogue.login:
        return
    player.heard += client.login(player.user)
    for n in range(dialogue.mails):
        player.heard += client.literal(
            (DATED % (FLAGS[n], n + 1)).encode(), MAILS[n])
    if dialogue.select:
        player.heard += client.command("SELECT INBOX")


def from_login(heard):
    """From the tagged reply to the login, whose tag is "l" or "a1", on."""
    for i, response in enumerate(heard):
        if re.match(rb"(l|a1) ", response):
            return heard[i:]
    raise AssertionError("no login: %r" % heard)


def run_direct(server, user, dialogue):
    with Imap(server.port) as client:
        player = Player(client, server, user)
        begin(player, dialogue)
        player.play(direct_steps(player, dialogue),
                    is_polite(dialogue, server.name),
                    is_by_line(dialogue, server.name))
        heard = [edit_capability(response)
                 for response in from_login(player.heard)]
    for tag, lines in dialogue.own.items():
        heard = replace(heard, tag.encode(), lines)
    return normalise(heard, user, is_polite(dialogue, server.name))


def direct_steps(player, dialogue):
    """What imapbell answers itself is nothing that the server knows."""
    steps = dialogue.steps if dialogue.direct is None else dialogue.direct
    changed = []
    for step in steps:
        for tag in dialogue.own:
            if isinstance(step, str):
                step = re.sub(r"(?m)^%s .*$" % tag, tag + " XNOSUCH", step)
            elif isinstance(step, bytes):
                step = re.sub(rb"(?m)^%s .*\r\n" % tag.encode(),
                              tag.encode() + b" XNOSUCH\r\n", step)
        changed.append(step)
    return changed


def replace(heard, tag, lines):
    """|lines| instead of the reply to |tag|."""
    out = []
    for response in heard:
        if response.startswith(tag + b" "):
            out += [line.encode() + b"\r\n" for line in lines]
        else:
            out.append(response)
    return out


def run_proxied(proxy, server, user, dialogue, cut):
    with proxy.connect() as client:
        player = Player(client, server, user, cut)
        begin(player, dialogue)
        prepared = len(player.heard)
        player.play(dialogue.steps,
                    by_line=is_by_line(dialogue, server.name))
        heard = player.heard[prepared:] if dialogue.expect \
            else from_login(player.heard)
        return normalise(heard, user, is_polite(dialogue, server.name))


# what may differ

# Never shown (facts of a proxy, not of a server).
STRIPPED = re.compile(
    r"COMPRESS=.*|UNAUTHENTICATE|STARTTLS|LOGINDISABLED|AUTH=.*"
    r"|(LOGIN|MAILBOX)-REFERRALS|URLAUTH(=.*)?|MUPDATE=.*|X-REPLICATION.*"
    r"|X-SIEVE-MAILBOX|XIMAPPROXY|XCLIENT|XAPPLEPUSHSERVICE", re.I)
OURS = ("ID", "XAPPLEPUSHSERVICE")
LIST = re.compile(rb"(?i)(\A\* CAPABILITY |\A\S+ (?:OK|NO|BAD) \[CAPABILITY )"
                  rb"([^\]\r\n]*)")


def edit_capability(response):
    """A list of the server's as imapbell is to show it."""
    def edit(found):
        words = [word for word in found[2].decode().split()
                 if not STRIPPED.fullmatch(word)]
        words += [word for word in OURS if word not in words]
        return found[1] + " ".join(words).encode()

    return LIST.sub(edit, response)


# Times, what a server makes up, and what the runs themselves are called.
SAME = [(re.compile(pattern), by) for pattern, by in [
    (rb"\d+\.\d+ [0-9. +]*secs?", b"N secs"),
    (rb" AUTH=[^\s\]]+", b""),  # which of them are shown is another test's
    (rb"\b(UIDVALIDITY|APPENDUID|COPYUID) \d+", rb"\1 N"),
    (rb"\b(MAILBOXID|SAVEDATE) (\([^)]*\)|\"[^\"]*\")", rb"\1 N"),
    (rb'("aps-topic") "[^"]*"', rb'\1 "TOPIC"'),
    (rb"SESSIONID=<[^>]*>", b"SESSIONID=N"),
]]
# Dovecot says it whenever it likes.
ANYTIME = re.compile(rb"\* OK Still here\r\n")


def normalise(heard, user, polite):
    out = []
    for response in heard:
        if ANYTIME.match(response):
            continue
        # The "+" of a literal that is not waited for.
        if polite and response.startswith(b"+"):
            continue
        response = response.replace(user.encode(), b"USER")
        for pattern, by in SAME:
            response = pattern.sub(by, response)
        out.append(response)
    return out


TAGGED = re.compile(rb"[^*+\s]+ (OK|NO|BAD)\b")


def in_order(heard):
    """The untagged ones as they came, then the tagged ones sorted."""
    tagged = [response for response in heard if TAGGED.match(response)]
    return [response for response in heard
            if not TAGGED.match(response)] + sorted(tagged)


def compare(heard, expected, dialogue, name, how):
    """The two are the same; of |expect| each line begins one."""
    if name == "dovecot" and dialogue.pipelined:
        heard, expected = in_order(heard), in_order(expected)
    if dialogue.expect:
        same = len(heard) == len(expected) and all(
            map(bytes.startswith, heard, expected))
    else:
        same = heard == expected
    if not same:
        raise AssertionError("%s (%s)\n%s" % (dialogue.name, how, "\n".join(
            difflib.unified_diff([repr(line) for line in expected],
                                 [repr(line) for line in heard], "expected",
                                 "through imapbell", lineterm=""))))
