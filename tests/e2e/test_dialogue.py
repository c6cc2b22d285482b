# SPDX-License-Identifier: ISC
"""
The dialogue of XAPPLEPUSHSERVICE, with Cyrus 3.6 as the reference: it has the
command built in. Each row is played against that Cyrus itself and through
imapbell; the lines are the same but for the topic, unless the row says what
imapbell answers instead and why.
"""
import re
import time

import pytest

from imap import Imap, capabilities
from test_ring import PROOF_S

ACCOUNT = "0715A26B-CA09-4730-A419-793000CA982E"
TOKEN = "2918390218931890821908309283098109381029309829018310983092892829"
NAMES = {
    "DEVICE": "aps-account-id %s aps-device-token %s "
              "aps-subtopic com.apple.mobilemail" % (ACCOUNT, TOKEN),
    "QUOTED": '"aps-version" "2" "aps-account-id" "%s" "aps-device-token" '
              '"%s" "aps-subtopic" "com.apple.mobilemail"' % (ACCOUNT, TOKEN),
    "ACCOUNT": "aps-account-id " + ACCOUNT,
    "TOKEN": "aps-device-token " + TOKEN,
    "SUBTOPIC": "aps-subtopic com.apple.mobilemail",
}
CYRUS_TOPIC = b"com.apple.mail.XServer.00000000-cyrus"
MAILBOX = '* XAPPLEPUSHSERVICE "mailbox" "%s"'
VERSION = '* XAPPLEPUSHSERVICE "aps-version" "%d" "aps-topic" "TOPIC"'
OK = "T OK XAPPLEPUSHSERVICE completed."


def ok(*mailboxes, version=2):
    return [MAILBOX % name for name in mailboxes] + [VERSION % version, OK]


def row(name, arguments, cyrus, imapbell=None, command="XAPPLEPUSHSERVICE"):
    return pytest.param(command, arguments, cyrus, imapbell or cyrus, id=name)


# Some of our BADs are Cyrus' NOs: a phone hears the same from both. Their
# text is our own.
BAD = ["T BAD"]
ROWS = [
    row("as_documented", 'QUOTED "mailboxes" (INBOX "Work")',
        ok("INBOX", "Work")),
    row("as_ios_sends_it", "aps-version 2 DEVICE mailboxes "
        '(INBOX Work "Sent Messages")', ok("INBOX", "Work", "Sent Messages")),
    row("command_in_any_case", "aps-version 2 DEVICE mailboxes (INBOX)",
        ok("INBOX"), command="xApplePushService"),
    row("keys_in_any_order", "mailboxes (INBOX Work) DEVICE aps-version 2",
        ok("INBOX", "Work")),
    row("modified_utf7_as_sent", "aps-version 2 DEVICE mailboxes "
        "(INBOX Entw&APw-rfe)", ok("INBOX", "Entw&APw-rfe")),
    row("absent_mailbox_is_not_echoed", "aps-version 2 DEVICE mailboxes "
        "(INBOX Absent Work)", ok("INBOX", "Work")),
    row("version_1", "aps-version 1 DEVICE", ok(version=1)),
    row("version_1_with_mailboxes", "aps-version 1 DEVICE mailboxes (INBOX)",
        ok(version=1)),
    row("version_3_is_answered_2", "aps-version 3 DEVICE mailboxes (INBOX)",
        ok("INBOX")),
    row("any_subtopic", "aps-version 2 ACCOUNT TOKEN "
        "aps-subtopic com.example.other mailboxes (INBOX)", ok("INBOX")),
    row("literals", "aps-version {1+}\r\n2 DEVICE mailboxes "
        '({5+}\r\nINBOX "Work")', ok("INBOX", "Work")),
    # INBOX is always registered and echoed, first and once: a push without
    # a mailbox means it.
    row("inbox_comes_first", 'aps-version 2 DEVICE mailboxes ("Work" INBOX)',
        ok("Work", "INBOX"), ok("INBOX", "Work")),
    row("inbox_once", "aps-version 2 DEVICE mailboxes (INBOX INBOX)",
        ok("INBOX", "INBOX"), ok("INBOX")),
    row("no_inbox", "aps-version 2 DEVICE mailboxes (Work)",
        ok("Work"), ok("INBOX", "Work")),
    row("empty_list", "aps-version 2 DEVICE mailboxes ()", ok(), ok("INBOX")),
    row("no_list", "aps-version 2 DEVICE", ok(), ok("INBOX")),
    # Tolerance: an answer other than OK costs a phone 23 hours.
    row("keys_in_any_case", "APS-VERSION 2 DEVICE mailboxes (INBOX)",
        ["T BAD Unexpected extra arguments to Xapplepushservice"],
        ok("INBOX")),
    row("unknown_key", "aps-version 2 DEVICE mailboxes (INBOX) sender me",
        ["T BAD Unexpected extra arguments to Xapplepushservice"],
        ok("INBOX")),
    row("unknown_key_with_list", "aps-version 2 DEVICE other (a (b c)) "
        "mailboxes (INBOX)",
        ["T BAD Unexpected extra arguments to Xapplepushservice"],
        ok("INBOX")),
    row("one_mailbox_without_list", "aps-version 2 DEVICE mailboxes INBOX",
        ["T BAD Missing required argument to Xapplepushservice"],
        ok("INBOX")),
    row("no_subtopic_is_mail", "aps-version 2 ACCOUNT TOKEN mailboxes (INBOX)",
        ["T NO Missing APNS sub-topic"], ok("INBOX")),
    # Nothing that could ever ring.
    row("no_token", "aps-version 2 ACCOUNT SUBTOPIC mailboxes (INBOX)",
        ["T NO Missing APNS device token"], BAD),
    row("no_account", "aps-version 2 TOKEN SUBTOPIC mailboxes (INBOX)",
        ["T NO Missing APNS account ID"], BAD),
    row("malformed_token", "aps-version 2 ACCOUNT aps-device-token zz "
        "SUBTOPIC mailboxes (INBOX)", ok("INBOX"), BAD),
    row("no_arguments", "",
        ["T BAD Missing required argument to Xapplepushservice"], BAD),
    row("unclosed_list", "aps-version 2 DEVICE mailboxes (INBOX",
        ["T BAD Missing required argument to Xapplepushservice"], BAD),
    row("version_not_a_number", "aps-version x DEVICE mailboxes (INBOX)",
        ["T BAD Unexpected extra arguments to Xapplepushservice"], BAD),
]


def play(client, user, command, arguments):
    """The lines of the answer, with T for the tag and TOPIC for the topic."""
    client.login(user)
    for mailbox in ('Work', '"Sent Messages"', 'Entw&APw-rfe'):
        client.ok("CREATE %s" % mailbox)
    for name, text in NAMES.items():
        arguments = arguments.replace(name, text)
    text = b"".join(client.command(" ".join(filter(None, (
        command, arguments))), tag="T")).decode()
    text = re.sub(r'"com\.apple\.[^"]*"', '"TOPIC"', text)
    assert text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
    return text.split("\r\n")[:-1]


@pytest.mark.parametrize("command, arguments, expected, _", ROWS)
def test_reference(cyrus_direct, command, arguments, expected, _):
    """Cyrus itself: what the rows call its answers are its answers."""
    client, user = cyrus_direct
    assert play(client, user, command, arguments) == expected


@pytest.fixture
def cyrus_direct(cyrus_aps):
    with Imap(cyrus_aps.port) as client:
        yield client, cyrus_aps.user()


@pytest.fixture(scope="module", params=["dovecot", "cyrus", "cyrus_aps"])
def proxied(request, module_bell):
    server = request.getfixturevalue(request.param)
    return server, module_bell(server.port)


@pytest.mark.parametrize("command, arguments, _, expected", ROWS)
def test_imapbell(proxied, command, arguments, _, expected):
    server, proxy = proxied

    def answer():
        lines = play(proxy.connect(), server.user(), command, arguments)
        return [" ".join(line.split()[:2]) for line in lines
                ] if expected is BAD else lines

    assert in_time(answer, expected) == expected


def in_time(attempt, expected):
    """
    What |attempt| brings: again, if it is not what is expected and the server
    may have taken the 2 s that it has to refuse a mailbox.
    """
    for _ in range(3):
        begin = time.monotonic()
        result = attempt()
        if result == expected or time.monotonic() - begin < PROOF_S:
            break
    return result


@pytest.fixture(scope="module")
def passing(cyrus_aps, module_bell):
    """push.enabled = false: what the server has of its own is the server's."""
    return module_bell(cyrus_aps.port, "-o", "push.enabled=false")


@pytest.mark.parametrize("command, arguments, expected, _", ROWS)
def test_passed_through(cyrus_aps, passing, command, arguments, expected, _):
    client = passing.connect()
    assert play(client, cyrus_aps.user(), command, arguments) == expected
    assert client.received.count(b'"aps-topic"') \
        == client.received.count(b'"aps-topic" "%s"' % CYRUS_TOPIC)


def lists(client, user):
    """Each capability list that the client is shown, before and after."""
    shown = [client.greeting, *client.ok("CAPABILITY"), *client.login(user),
             *client.ok("CAPABILITY")]
    return [words for words in map(capabilities, shown)
            if "IMAP4rev1" in words]


def test_offered_once(proxied):
    """Also if the server has it itself; then imapbell answers."""
    server, proxy = proxied
    client = proxy.connect()
    shown = lists(client, server.user())
    assert len(shown) == 4
    assert [words.count("XAPPLEPUSHSERVICE") for words in shown] == [1] * 4
    client.ok("XAPPLEPUSHSERVICE aps-version 2 %s mailboxes (INBOX)"
              % NAMES["DEVICE"])
    assert CYRUS_TOPIC not in client.received


def test_offered_as_the_server_does(cyrus_aps, passing):
    """push.enabled = false"""
    with Imap(cyrus_aps.port) as direct:
        expected = lists(direct, cyrus_aps.user())
    shown = lists(passing.connect(), cyrus_aps.user())
    assert [words.count("XAPPLEPUSHSERVICE") for words in shown] \
        == [words.count("XAPPLEPUSHSERVICE") for words in expected]


def test_before_login(proxied):
    """An unknown command, as to any server that does not have it."""
    _, proxy = proxied
    client = proxy.connect()
    assert client.command("XAPPLEPUSHSERVICE aps-version 2 %s mailboxes "
                          "(INBOX)" % NAMES["DEVICE"])[-1].startswith(b"a1 BAD")
    client.ok("NOOP")


def test_too_long_names_and_lists(proxied):
    """Over the limits: still OK, what does not fit is not echoed."""
    server, proxy = proxied
    names = " ".join("M%d" % n for n in range(300))
    command = "XAPPLEPUSHSERVICE aps-version 2 %s mailboxes (INBOX %s %s)" % (
        NAMES["DEVICE"], "x" * 1001, names)

    def mailboxes():
        responses = proxy.session(server.user()).ok(command)
        return [line.decode() for line in responses[:-2]]

    expected = [MAILBOX % "INBOX" + "\r\n"]
    assert in_time(mailboxes, expected) == expected


def test_too_long_command(proxied):
    """Over 256 KiB: BAD, and the session goes on."""
    server, proxy = proxied
    client = proxy.session(server.user())
    client.send(b"t XAPPLEPUSHSERVICE aps-version 2 mailboxes ("
                + b"x " * 140000 + b")\r\n")
    assert client.until("t")[-1].startswith(b"t BAD")
    client.ok("NOOP")
