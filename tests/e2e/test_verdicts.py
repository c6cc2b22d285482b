# SPDX-License-Identifier: ISC
"""
What Apple's service may answer, or not answer, and a credential that ends:
every push that is owed goes once it heals or is settled by its verdict, and no
registration goes but by 410.
"""
import os
import re
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from apns_certs import TOPIC
from imap import capabilities
from lmtp import message
from phone import Phone
from process import SLOW, wait_until
from test_ring import register, ring

OTHER_TOPIC = "com.apple.mobilemail.push.net.example"
FAST = ("-o", "apns.retry_s=1", "-o", "apns.request_timeout_s=5", "-o",
        "push.merge_ms=100", "-o", "watch.connect_rate=1000")
HELD = r"pushes held|our certificate is refused"


def registrations(proxy):
    """The rows on disk, by device token."""
    with sqlite3.connect("file:%s/imapbell.db?mode=ro" % proxy.state,
                         uri=True) as store:
        store.row_factory = sqlite3.Row
        return {bytes(row["device_token"]).decode(): row for row in
                store.execute("SELECT * FROM registration")}


def owed(proxy):
    """How many pushes are owed, on disk."""
    with sqlite3.connect("file:%s/imapbell.db?mode=ro" % proxy.state,
                         uri=True) as store:
        return store.execute("SELECT count(*) FROM pending").fetchone()[0]


def noted(proxy, phones, status, after_ms):
    """Waits until |phones| have |status| on disk, of a push after then."""
    def all_have():
        rows = registrations(proxy)
        rows = [rows[phone.token.lower()] for phone in phones]
        return all(row["last_status"] == status
                   and row["last_push_ms"] >= after_ms for row in rows)

    wait_until(all_have, "%d noted" % status, 90)


def now_ms():
    return int(time.time() * 1000)


def is_kept(proxy, phone):
    return phone.token.lower() in registrations(proxy)


def metric(proxy, name):
    """What SIGUSR1 says of a metric that is not 0."""
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGUSR1)
    return int(proxy.wait_log(r"metric name=%s value=(\d+)$" % name,
                              start=start)[1])


def accepted(apple, phone, after=0):
    """The requests for |phone| behind the first |after| that got 200."""
    with apple.condition:
        good = {event["n"] for event in apple.events
                if event["event"] == "answered" and event["status"] == 200}
        return [request for request in phone.pushes(apple.requests)
                if request["n"] > after and request["n"] in good]


def wait_accepted(apple, phones, after=0, seconds=90):
    def missing():
        return [phone.token[:8] for phone in phones
                if not accepted(apple, phone, after)]

    with apple.condition:
        assert apple.condition.wait_for(lambda: not missing(),
                                        seconds * SLOW), missing()


def answers(apple, status, count, seconds=90):
    """Waits until |count| requests were answered with |status|."""
    def found():
        return [event for event in apple.events
                if event["event"] == "answered" and event["status"] == status]

    with apple.condition:
        assert apple.condition.wait_for(lambda: len(found()) >= count,
                                        seconds * SLOW), len(found())


def reload(proxy, says):
    """SIGHUP, and what it comes to. Workers may hear of it a moment later, all
    of them at once."""
    start = len(proxy.log())
    os.kill(proxy.pid, signal.SIGHUP)
    proxy.wait_log(says, 60, start)


class Files:
    """A credential whose files a test puts in place one after the other."""

    def __init__(self, folder, certs):
        self.certs = certs
        self.cert = folder / "apns.pem"
        self.key = folder / "apns.key"
        self.options = ("--apns-cert", self.cert, "--apns-key", self.key)

    def issue(self, name, topic=TOPIC, **how):
        cert, key = self.certs.client(name, topic, **how)
        shutil.copy(cert, self.cert)
        shutil.copy(key, self.key)
        return self


@pytest.fixture
def files(tmp_path, apple):
    return Files(tmp_path, apple.certs)


def offers(client):
    return "XAPPLEPUSHSERVICE" in capabilities(
        b"".join(client.ok("CAPABILITY")))


def topic_for(proxy, user):
    """What |user| is offered, by a phone that registers."""
    with closing(proxy.session(user)) as client:
        return re.search(r'"aps-topic" "(.*)"', client.ok(
            Phone().command())[-2].decode())[1]


def device(proxy, dovecot, phone=None):
    """A new user with |phone|, registered, who has left."""
    user, phone = dovecot.user(), phone or Phone()
    client = proxy.session(user)
    register(client, phone)
    client.logout()
    return user, phone


class Crowd:
    """Users with a phone each."""

    def __init__(self, proxy, dovecot, apple, count):
        self.proxy = proxy
        self.dovecot = dovecot
        self.apple = apple
        self.users = [device(proxy, dovecot) for _ in range(count)]
        self.phones = [phone for _, phone in self.users]

    def deliver(self):
        for user, _ in self.users:
            self.dovecot.deliver(user, message())

    def suffers(self, fault, heal, evident):
        """Mail for all under |fault|; after |heal| all are rung."""
        mark = self.apple.status()["requests"]
        begin_ms = now_ms()
        fault()
        self.deliver()
        evident(mark)
        heal()
        wait_accepted(self.apple, self.phones, mark)
        noted(self.proxy, self.phones, 200, begin_ms)
        # A changed flag of the mail may be owed for a while yet.
        wait_until(lambda: owed(self.proxy) == 0, "nothing owed", 120)

    def all_kept(self):
        kept = registrations(self.proxy)
        return all(phone.token.lower() in kept for phone in self.phones)


@pytest.mark.timeout(900 * SLOW)
def test_every_fault_over_many_users(bell, dovecot, apple):
    """Refusal, errors, GOAWAY, silence and 410, one after the other."""
    bell.allow("pushes held status=403")
    proxy = bell(dovecot.port, *FAST)
    crowd = Crowd(proxy, dovecot, apple, 24)
    size = len(crowd.users)
    crowd.deliver()
    wait_accepted(apple, crowd.phones)

    def heal():
        apple.default()
        apple.refuse("off")

    def all_asked(mark):
        apple.wait(mark + size, 90 * SLOW)

    def refused():
        apple.refuse("tcp")
        apple.reset()

    crowd.suffers(refused, heal,
                  lambda _: proxy.wait_log("no connection.*refused", 90))
    crowd.suffers(
        lambda: apple.default(status=500, reason="InternalServerError"),
        heal, lambda _: answers(apple, 500, size))
    crowd.suffers(
        lambda: apple.default(status=503, reason="ServiceUnavailable"),
        heal, lambda _: answers(apple, 503, 2))
    crowd.suffers(
        lambda: apple.default(status=429, reason="TooManyRequests",
                              headers={"retry-after": "1"}),
        heal, lambda _: answers(apple, 429, size))
    crowd.suffers(
        lambda: apple.default(action="goaway", last="below",
                              reason="Shutdown"),
        heal, lambda _: proxy.wait_log("goaway received", 90))
    crowd.suffers(lambda: apple.default(action="drop"), heal,
                  lambda _: proxy.wait_log("push not answered", 90))
    crowd.suffers(lambda: apple.default(action="silence"), heal, all_asked)

    def reloaded():
        heal()
        reload(proxy, "credential replaced")

    crowd.suffers(
        lambda: apple.default(status=403, reason="BadCertificate"),
        reloaded, lambda _: proxy.wait_log("pushes held status=403", 90))
    assert crowd.all_kept()

    # 410: of every two devices one has registered since.
    mark = apple.status()["requests"]
    times = [1000 * (n % 2) * int(time.time() + 60) for n in range(size)]
    for when in times:
        apple.answer(status=410, reason="Unregistered", timestamp=when)
    crowd.deliver()
    answers(apple, 410, size)
    wait_until(lambda: owed(proxy) == 0 and len(registrations(proxy)) ==
               size // 2, "410 on disk", 90)
    with apple.condition:
        told = dict(zip([r["token"] for r in apple.requests[mark:]], times))
    kept = registrations(proxy)
    for phone in crowd.phones:
        token = phone.token.lower()
        assert (token in kept) == (told[token] == 0)
    mark = apple.status()["requests"]
    crowd.deliver()
    wait_accepted(apple, [phone for phone in crowd.phones
                          if phone.token.lower() in kept], mark)
    assert all(r["token"] in kept for r in apple.requests[mark:])
    assert metric(proxy, r'imapbell_pushes_total\{status="410",'
                  r'reason="Unregistered"\}') == size
    assert metric(proxy, r'imapbell_pushes_total\{status="200",'
                  r'reason=""\}') >= 9 * size


def test_dead_peer_does_not_stop_the_next_connection(bell, dovecot, apple):
    """A connection that a firewall forgot is found out by PING."""
    proxy = bell(dovecot.port, *FAST)
    user, phone = device(proxy, dovecot)
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone])
    mark = apple.status()["requests"]
    apple.freeze()
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone], mark)
    assert "does not answer a PING" in proxy.log()


def test_errors_in_a_row_cost_the_connection(bell, dovecot, apple):
    """Three 500 on one connection, and the next push goes over another."""
    proxy = bell(dovecot.port, *FAST)
    user, phone = device(proxy, dovecot)
    apple.answer(status=500, reason="InternalServerError", count=3)
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone])
    ways = [r["connection"] for r in phone.pushes(apple.requests)]
    assert ways[0] == ways[1] == ways[2] != ways[3]


def test_event_in_flight_rings_again(bell, dovecot, apple):
    """Mail that comes while a push for the same device is in flight."""
    proxy = bell(dovecot.port, "-o", "push.merge_ms=1")
    user, phone = device(proxy, dovecot)
    apple.answer(delay_ms=1500)
    dovecot.deliver(user, message())
    ring(apple, phone)
    dovecot.deliver(user, message())
    second = ring(apple, phone, 2)[1]
    first = apple.wait_event("answered")[0]
    assert second["t_ns"] >= first["t_ns"]
    noted(proxy, [phone], 200, 0)
    assert len(phone.pushes(apple.requests)) == 2


def test_devices_of_one_account_both_ring(bell, dovecot, apple):
    """A restored backup gives two phones the same account-id."""
    proxy = bell(dovecot.port)
    first = Phone()
    second = Phone(account=first.account)
    user, _ = device(proxy, dovecot, first)
    client = proxy.session(user)
    register(client, second)
    client.logout()
    dovecot.deliver(user, message())
    assert ring(apple, first)[0]["body"] == first.payload
    assert ring(apple, second)[0]["body"] == first.payload


def test_accounts_of_one_device_both_ring(bell, dovecot, apple):
    """One phone with two accounts: each mail rings its own."""
    proxy = bell(dovecot.port)
    first = Phone()
    second = Phone(token=first.token)
    one, _ = device(proxy, dovecot, first)
    two, _ = device(proxy, dovecot, second)
    dovecot.deliver(one, message())
    assert ring(apple, first)[0]["body"] == first.payload
    dovecot.deliver(two, message())
    assert ring(apple, first, 2)[1]["body"] == second.payload


def test_unknown_token_is_kept_at_first(bell, dovecot, apple):
    """400 BadDeviceToken settles the push, and is noted."""
    proxy = bell(dovecot.port, *FAST)
    user, phone = device(proxy, dovecot)
    apple.answer(status=400, reason="BadDeviceToken", count=2)
    for count in (1, 2):
        dovecot.deliver(user, message())
        ring(apple, phone, count)
        noted(proxy, [phone], 400, 0)
    row = registrations(proxy)[phone.token.lower()]
    assert bytes(row["last_reason"]) == b"BadDeviceToken"
    dovecot.deliver(user, message())
    ring(apple, phone, 3)
    noted(proxy, [phone], 200, 0)


def test_our_mistake_is_told_once(bell, dovecot, apple):
    bell.allow("finds fault with our request")
    proxy = bell(dovecot.port, *FAST)
    user, phone = device(proxy, dovecot)
    apple.answer(status=413, reason="PayloadTooLarge", count=2)
    for count in (1, 2, 3):
        dovecot.deliver(user, message())
        ring(apple, phone, count)
    noted(proxy, [phone], 200, 0)
    assert proxy.log().count("finds fault with our request") == 1
    assert is_kept(proxy, phone)


def test_reload_heals_a_hold(bell, dovecot, apple, files):
    """A revoked credential, then a new one: one error line, nothing lost."""
    bell.allow(HELD)
    files.issue("revoked")
    proxy = bell(dovecot.port, *FAST, *files.options)
    crowd = Crowd(proxy, dovecot, apple, 6)
    apple.default(status=403, reason="BadCertificate")
    crowd.deliver()
    proxy.wait_log("error.*pushes held status=403 reason=BadCertificate", 90)
    answers(apple, 403, 1)
    # Mail is not disturbed, nor are registrations.
    user, late = device(proxy, dovecot)
    dovecot.deliver(user, message())
    wait_until(lambda: owed(proxy) == 7, "seven pushes owed", 90)
    assert metric(proxy, "imapbell_queue_depth") == 7
    before = apple.status()["requests"]
    assert before <= 6  # those that were in flight together
    apple.default()
    files.issue("renewed")
    reload(proxy, "credential replaced topic=" + TOPIC)
    wait_accepted(apple, crowd.phones + [late])
    assert proxy.log().count("error push pushes held") == 1
    assert registrations(proxy).keys() == {
        phone.token.lower() for phone in crowd.phones + [late]}


def test_reload_that_fails_changes_nothing(bell, dovecot, apple, files):
    bell.allow("credential not replaced")
    files.issue("good")
    proxy = bell(dovecot.port, *FAST, *files.options)
    user, phone = device(proxy, dovecot)
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone])
    files.key.write_text("no key")
    reload(proxy, r"error.*credential not replaced: apns.certificate.*key")
    files.issue("over", start_days=-10, days=5)
    reload(proxy, r"error.*credential not replaced: .* has expired")
    files.cert.unlink()
    reload(proxy, r"error.*credential not replaced: apns.certificate")
    dovecot.deliver(user, message())
    ways = [r["connection"] for r in ring(apple, phone, 2)]
    assert ways[0] == ways[1]
    assert offers(proxy.session(user))


def test_reload_lets_pushes_in_flight_end(bell, dovecot, apple, files):
    """The old connection ends with its last answer, then a new one is used."""
    files.issue("first")
    proxy = bell(dovecot.port, *files.options)
    user, phone = device(proxy, dovecot)
    apple.answer(delay_ms=1000)
    dovecot.deliver(user, message())
    first = ring(apple, phone)[0]
    files.issue("second")
    reload(proxy, "credential replaced")
    wait_accepted(apple, [phone])
    apple.wait_event("goaway")
    dovecot.deliver(user, message())
    second = ring(apple, phone, 2)[1]
    assert second["connection"] != first["connection"]
    assert len(phone.pushes(apple.requests)) == 2


def test_reload_with_another_topic(bell, dovecot, apple, files):
    """
    Who registers gets the new topic. Old registrations are rung with theirs;
    that it is refused holds nobody else's push, and ends when they register.
    """
    files.issue("topic")
    proxy = bell(dovecot.port, *FAST, *files.options)
    user, phone = device(proxy, dovecot)
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone])
    session = proxy.session(user)
    files.issue("topic-new", OTHER_TOPIC)
    reload(proxy, "warn.*topic=%s replaces topic=%s" % (OTHER_TOPIC, TOPIC))
    assert offers(session)
    register(session, Phone())  # as it was told
    wait_until(lambda: topic_for(proxy, dovecot.user()) == OTHER_TOPIC,
               "the new topic")
    newcomer, fresh = dovecot.user(), Phone()
    client = proxy.session(newcomer)
    assert b'"aps-topic" "%s"' % OTHER_TOPIC.encode() in client.ok(
        fresh.command())[-2]
    client.logout()
    for _ in range(2):
        dovecot.deliver(user, message())
        dovecot.deliver(newcomer, message())
        wait_accepted(apple, [fresh])
        noted(proxy, [phone], 400, 0)
    assert fresh.pushes(apple.requests)[0]["headers"]["apns-topic"] == (
        OTHER_TOPIC)
    topics = [r["headers"]["apns-topic"] for r in phone.pushes(apple.requests)]
    assert topics == [TOPIC, TOPIC]  # not asked again after TopicDisallowed
    assert is_kept(proxy, phone)
    mark = apple.status()["requests"]
    client = proxy.session(user)
    client.ok(phone.command())
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone], mark)


def test_expired_at_start(bell, dovecot, apple, files):
    """For some hours: offered, registered, held; an error line says it."""
    bell.allow(HELD + "|has expired")
    files.issue("late", start_days=-2, days=1.5)
    proxy = bell(dovecot.port, *FAST, *files.options)
    proxy.wait_log("error.*has expired")
    user, phone = dovecot.user(), Phone()
    client = proxy.session(user)
    assert offers(client)
    register(client, phone)
    dovecot.deliver(user, message())
    proxy.wait_log("error.*our certificate is refused", 90)
    wait_until(lambda: owed(proxy) == 1, "a push owed", 90)
    client.ok("NOOP")
    assert metric(proxy, "imapbell_queue_depth") == 1
    expiry = metric(proxy, "imapbell_credential_expiry_timestamp_seconds")
    assert time.time() - 86400 < expiry < time.time()
    files.issue("in-time")
    reload(proxy, "credential replaced")
    wait_accepted(apple, [phone])
    assert metric(proxy, "imapbell_credential_expiry_timestamp_seconds") > (
        time.time() + 86400)
    assert len(apple.wait_event("tls_failed")) == 1


def test_long_expired_at_start(bell, dovecot, apple, files):
    """For days: a plain proxy, until a new one is read; nothing is missed."""
    files.issue("fine")
    proxy = bell(dovecot.port, *FAST, *files.options)
    user, phone = device(proxy, dovecot)
    proxy.process.stop()
    files.issue("past", start_days=-40, days=30)
    bell.allow("push is off")
    proxy.start()
    proxy.wait_log("error.*push is off: apns.certificate.*has expired")
    client = proxy.session(user)
    assert not offers(client)
    dovecot.deliver(user, message())
    client.ok("NOOP")
    assert apple.requests == []
    files.issue("present")
    reload(proxy, "credential replaced")
    wait_accepted(apple, [phone])
    wait_until(lambda: offers(proxy.session(user)), "the offer")
    assert not offers(client)  # it was told no


def test_missing_at_start_comes_by_reload(bell, dovecot, apple, files):
    bell.allow("push is off")
    proxy = bell(dovecot.port, *FAST, *files.options)
    proxy.wait_log("error.*push is off")
    user, phone = dovecot.user(), Phone()
    assert not offers(proxy.session(user))
    files.issue("at-last")
    reload(proxy, "credential replaced")
    wait_until(lambda: offers(proxy.session(user)), "the offer")
    client = proxy.session(user)
    register(client, phone)
    dovecot.deliver(user, message())
    wait_accepted(apple, [phone])


def test_offer_ends_a_day_after_expiry(bell, dovecot, apple, files):
    """Those who log in later are not offered it; a session keeps it."""
    bell.allow("push is off|has expired")
    soon = 20 * SLOW  # a busy machine may take some of it for the start
    files.issue("ends", start_days=-2,
                days=1 + (5 * 60 + soon) / 86400)
    proxy = bell(dovecot.port, *FAST, *files.options)
    client = proxy.session(dovecot.user())
    assert offers(client)
    proxy.wait_log("error.*push is off", 90)
    assert offers(client)
    wait_until(lambda: not offers(proxy.session(dovecot.user())),
               "push is not offered", 60)
    for _ in range(proxy.facing):
        assert not offers(proxy.session(dovecot.user()))
    assert b"XAPPLEPUSHSERVICE" not in proxy.connect().greeting


def test_expiry_is_warned_of(bell, dovecot, files):
    """30, 14, 7 days and one before, each once."""
    day = 1 + 5 * 60 / 86400
    files.issue("near", days=13 + day)
    proxy = bell(dovecot.port, *files.options)
    proxy.wait_log("warn.*apns.certificate .*expires on")
    reload(proxy, "credential replaced")
    files.issue("nearer", days=7 + (5 * 60 + 20 * SLOW) / 86400)
    reload(proxy, "credential replaced")
    proxy.wait_log("warn.*expires on .* days=7$", 60)
    assert proxy.log().count("days=7") == 1
