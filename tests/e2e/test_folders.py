# SPDX-License-Identifier: ISC
"""
Folders besides INBOX: watched by STATUS between two IDLEs, rung by the hash of
their names, and never if the user may not have them.
"""
import hashlib
import json
import re
import shutil
import time

import pytest

from dovecot import Dovecot
from imap import Imap
from lmtp import message
from phone import Phone
from process import wait_until
from relay import TO_CLIENT, TO_SERVER, Relay
from test_ring import PROOF_S, register, ring

OFTEN = ("-o", "watch.poll_s=1", "-o", "push.merge_ms=100")
INBOX = "7e33429f656f1e6e9d79b29c3f82c57e"
DRAFTS = "Entw&APw-rfe"

# Uses of folders, and another user's folders under shared/.
RICH = """
namespace inbox {{
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
}}
namespace shared {{
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:{folder}/home/%%u/Maildir
  list = children
  subscriptions = no
}}
protocol imap {{
  mail_plugins = $mail_plugins acl imap_acl
}}
plugin {{
  acl = vfile::cache_secs=0
}}
"""


@pytest.fixture(scope="module")
def rich_dovecot(folder, tls):
    path = folder / "rich-dovecot"
    server = Dovecot(path, tls, RICH.format(folder=path))
    yield server
    server.stop()


@pytest.fixture(params=["rich_dovecot", "cyrus"])
def rich_server(request):
    """Those that know uses and rights of folders."""
    return request.getfixturevalue(request.param)


def hash_of(mailbox):
    """What iOS calls a mailbox, whose name is given in UTF-8."""
    return hashlib.md5(mailbox.encode()).hexdigest()


def echoed(responses):
    """The mailboxes that a registration was granted."""
    return re.findall(r'XAPPLEPUSHSERVICE "mailbox" "([^"]*)"',
                      b"".join(responses).decode())


def news(push):
    """The hashes in |push|; None: INBOX, of which it says nothing."""
    return json.loads(push["body"])["aps"].get("m")


def direct(server, user, *folders):
    """A session past imapbell, which makes |folders| first."""
    rival = Imap(server.port)
    rival.login(user)
    for name in folders:
        rival.ok('CREATE "%s"' % name)
    return rival


def enroll(proxy, user, *folders):
    """A phone of |user| that wants INBOX and |folders|, and may have them."""
    phone = Phone()
    client = proxy.session(user)
    responses = register(client, phone, '(INBOX %s)' % " ".join(
        '"%s"' % name for name in folders))
    assert echoed(responses) == ["INBOX", *folders]
    client.logout()
    return phone


def wish(server, proxy, wishes, *folders):
    """
    A phone of a new user who has |folders| and wishes for more: the user, a
    session of that one past imapbell and one through it, the phone, and what
    it was granted. The server has 2 s to refuse: not each time of three on a
    busy machine.
    """
    for _ in range(3):
        user, phone = server.user(), Phone()
        rival, client = direct(server, user, *folders), proxy.session(user)
        begin = time.monotonic()
        granted = echoed(client.ok(phone.command(wishes)))
        if time.monotonic() - begin < PROOF_S:
            break
    return user, rival, client, phone, granted


def watcher(relay):
    """imapbell's own connection through |relay|."""
    return relay.link(rb"EXAMINE INBOX")


def sweeps(link, folder):
    """How often that connection asked for |folder|."""
    return link.octets(TO_SERVER).count(b' STATUS "%s" ' % folder.encode())


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
def test_names_as_ios_hashes_them(request, bell, apple, name):
    """INBOX without m, a folder with the hash of its decoded name."""
    server = request.getfixturevalue(name)
    user = server.user()
    with direct(server, user, DRAFTS) as rival:
        phone = enroll(bell(server.port, *OFTEN), user, DRAFTS)
        rival.append(DRAFTS, message())
        push = ring(apple, phone)[0]
        assert push["body"] == (
            '{"aps":{"account-id":"%s","m":'
            '["6935862f74f620598b6b2549c202aafa"]}}' % phone.account)
        server.deliver(user, message())
        assert ring(apple, phone, 2)[1]["body"] == phone.payload


def test_folder_and_inbox_in_one_push(bell, server, apple):
    """What changes in one window is one push with both hashes."""
    user, name = server.user(), server.prefix + DRAFTS
    with direct(server, user, name) as rival:
        proxy = bell(server.port, *OFTEN, "-o", "push.merge_ms=10000")
        phone = enroll(proxy, user, name)
        start = time.monotonic_ns()
        server.deliver(user, message())
        assert news(ring(apple, phone)[0]) is None
        rival.append(name, message())
        server.deliver(user, message())
        push = ring(apple, phone, 2)[1]
        assert news(push) == [INBOX, hash_of(server.prefix + "Entwürfe")]
        assert push["t_ns"] - start >= 10e9


def test_mail_while_down_rings(bell, server, apple):
    user, name = server.user(), server.prefix + "Work"
    with direct(server, user, name) as rival:
        proxy = bell(server.port)  # no sweep but the first one
        phone = enroll(proxy, user, name)
        proxy.process.stop()
        rival.append(name, message())
        proxy.start()
        assert news(ring(apple, phone)[0]) == [hash_of(name)]


def test_folder_made_again_rings(bell, server, apple):
    """A registered folder that goes stays registered, and rings again."""
    user, name = server.user(), server.prefix + "Work"
    with direct(server, user, name) as rival, Relay(server.port) as relay:
        phone = enroll(bell(relay.port, *OFTEN), user, name)
        rival.append(name, message())
        assert news(ring(apple, phone)[0]) == [hash_of(name)]
        rival.ok('DELETE "%s"' % name)
        link = watcher(relay)
        wait_until(lambda: refusals(link), "a refusal")
        rival.ok('CREATE "%s"' % name)
        rival.append(name, message())
        assert news(ring(apple, phone, 2)[1]) == [hash_of(name)]


def drop(server, user, name, data):
    """Puts a message into a Maildir folder as some delivery agents do."""
    folder = server.folder / "home" / user / "Maildir" / ("." + name)
    path = folder / "new" / ("%d.drop.test" % time.time_ns())
    path.write_bytes(data.replace(b"\r\n", b"\n"))
    shutil.chown(path, folder.stat().st_uid, folder.stat().st_gid)
    return time.monotonic_ns()


@pytest.mark.parametrize("name", ["dovecot", "courier"])
def test_dropped_mail_rings(request, bell, apple, name):
    """No server process had a part in it."""
    server = request.getfixturevalue(name)
    user, folder = server.user(), server.prefix + "Work"
    with direct(server, user, folder):
        phone = enroll(bell(server.port, *OFTEN), user, folder)
        drop(server, user, "Work", message())
        assert news(ring(apple, phone)[0]) == [hash_of(folder)]


def test_read_elsewhere_rings_after_the_delay(bell, server, apple):
    user, name = server.user(), server.prefix + "Work"
    with direct(server, user, name) as rival:
        rival.append(name, message())
        proxy = bell(server.port, *OFTEN, "-o", "push.change_delay_ms=1500")
        phone = enroll(proxy, user, name)
        rival.ok('SELECT "%s"' % name)
        start = time.monotonic_ns()
        rival.ok("STORE 1 +FLAGS (\\Seen)")
        push = ring(apple, phone)[0]
        assert news(push) == [hash_of(name)]
        assert push["t_ns"] - start >= 1.5e9


# What is registered

def test_new_wish_needs_no_new_connection(bell, dovecot, apple):
    user = dovecot.user()
    with direct(dovecot, user, "Work", "Play") as rival, \
            Relay(dovecot.port) as relay:
        proxy = bell(relay.port, *OFTEN)
        client = proxy.session(user)
        phone = Phone()
        register(client, phone)
        link = watcher(relay)
        register(client, phone, "(INBOX Work)")
        rival.append("Work", message())
        assert news(ring(apple, phone)[0]) == [hash_of("Work")]
        register(client, phone, "(INBOX Play)")
        rival.append("Work", message())
        rival.append("Play", message())
        assert news(ring(apple, phone, 2)[1]) == [hash_of("Play")]
        assert watcher(relay) is link


def test_missing_mailbox(bell, server, apple):
    """Not echoed, never asked for again, not even when it is made."""
    work, none = server.prefix + "Work", server.prefix + "None"
    with Relay(server.port) as relay:
        proxy = bell(relay.port, *OFTEN)
        _, rival, _, phone, granted = wish(
            server, proxy, "(INBOX %s %s)" % (none, work), work)
        assert granted == ["INBOX", work]
        rival.ok('CREATE "%s"' % none)
        rival.append(none, message())
        rival.append(work, message())
        assert news(ring(apple, phone)[0]) == [hash_of(work)]
        link = watcher(relay)
        assert sweeps(link, work) > 0
        assert b"None" not in link.octets(TO_SERVER)


def test_missing_mailbox_unproved(bell, server, apple):
    """
    The server is too slow for the registration: all is echoed. The watcher
    proves one mailbox and drops the other.
    """
    user = server.user()
    work, none = server.prefix + "Work", server.prefix + "None"
    with direct(server, user, work) as rival, Relay(server.port) as relay:
        proxy = bell(relay.port, *OFTEN)
        client, phone = proxy.session(user), Phone()
        hold = relay.hold(TO_CLIENT, b"* STATUS")
        assert echoed(client.ok(phone.command(
            "(INBOX %s %s)" % (work, none)))) == ["INBOX", work, none]
        hold.release()
        proxy.wait_log(r'not watched mailbox="%s": refused' % none)
        rival.ok('CREATE "%s"' % none)
        rival.append(none, message())
        rival.append(work, message())
        assert news(ring(apple, phone)[0]) == [hash_of(work)]
        assert sweeps(watcher(relay), none) == 1


def refusals(link):
    """How often the server refused what that connection asked for."""
    return len(re.findall(rb"^W\d+ NO ", link.octets(TO_CLIENT), re.M))


def foreign(server, owner, name):
    """What others call |name| of |owner|."""
    return ("Other Users/%s/%s" if server.name == "cyrus" else "shared/%s/%s"
            ) % (owner, name)


def test_foreign_mailbox(bell, rich_server, apple):
    """Only while its owner allows it."""
    server = rich_server
    owner = server.user()
    name = foreign(server, owner, "Plans")
    with direct(server, owner, "Plans") as rival, \
            Relay(server.port) as relay:
        proxy = bell(relay.port, *OFTEN)
        wishes = '(INBOX "%s" Work)' % name
        user, own, client, phone, granted = wish(server, proxy, wishes, "Work")
        assert granted == ["INBOX", "Work"]
        rival.append("Plans", message())
        own.append("Work", message())
        assert news(ring(apple, phone)[0]) == [hash_of("Work")]
        link = watcher(relay)
        assert b"Plans" not in link.octets(TO_SERVER)

        rival.ok("SETACL Plans %s lr" % user)
        assert echoed(register(client, phone, wishes)) == [
            "INBOX", name, "Work"]
        rival.append("Plans", message())
        assert news(ring(apple, phone, 2)[1]) == [hash_of(name)]

        refused = refusals(link)
        rival.ok("DELETEACL Plans %s" % user)
        wait_until(lambda: refusals(link) > refused, "a refusal")
        rival.append("Plans", message())
        own.append("Work", message())
        assert news(ring(apple, phone, 3)[2]) == [hash_of("Work")]


# Uses

def test_sent_mail_is_a_change(bell, rich_server, apple):
    """It rings no sooner than after the delay, other folders at once."""
    server = rich_server
    user = server.user()
    with direct(server, user, "Work") as rival:
        if server.name == "cyrus":
            rival.ok("CREATE Sent (USE (\\Sent))")
        proxy = bell(server.port, *OFTEN, "-o", "push.change_delay_ms=9000")
        phone = enroll(proxy, user, "Sent", "Work")
        start = time.monotonic_ns()
        rival.append("Sent", message())
        push = ring(apple, phone)[0]
        assert news(push) == [hash_of("Sent")]
        assert push["t_ns"] - start >= 9e9
        start = time.monotonic_ns()
        rival.append("Work", message())
        push = ring(apple, phone, 2)[1]
        assert news(push) == [hash_of("Work")]
        assert push["t_ns"] - start < 9e9


def test_many_folders_are_one_write(bell, dovecot, apple):
    """Over a long line INBOX is not left alone for a round trip for each."""
    user = dovecot.user()
    names = ["Folder%02d" % n for n in range(63)]
    with direct(dovecot, user, *names) as rival, Relay(dovecot.port) as relay:
        phone = enroll(bell(relay.port, *OFTEN), user, *names)
        link = watcher(relay)
        wait_until(lambda: sweeps(link, names[-1]) >= 2, "two sweeps")
        rival.append(names[40], message())
        assert news(ring(apple, phone)[0]) == [hash_of(names[40])]
        asked = [data.count(b" STATUS ") for _, data in link.chunks[TO_SERVER]
                 if b" STATUS " in data]
        assert asked[:3] == [1, 63, 63]  # INBOX is asked alone
