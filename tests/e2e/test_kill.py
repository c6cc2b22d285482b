# SPDX-License-Identifier: ISC
"""
kill -9 at random moments, while phones register and mail is delivered: what
was answered OK is there, each mail rings, and nobody is rung for nothing.
IMAPBELL_TEST_SEED repeats a run, as far as the machine does.
"""
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from imap import Closed
from lmtp import message
from phone import Phone
from process import PATIENCE, SLOW, wait_until
from test_processes import DIED
from test_ring import register, ring

USERS = 8
PHONES_PER_ROUND = 4
DOWN_MAILS = 2  # delivered in a round while imapbell is down
OPTIONS = ("-o", "push.merge_ms=200", "-o", "push.merge_max_ms=1000",
           "-o", "push.change_delay_ms=500", "-o", "push.change_max_ms=1000",
           "-o", "watch.connect_rate=200", "-o", "push.devices_per_user=200")


class Story:
    """What was promised to whom, through all lives of one imapbell."""

    def __init__(self, bell, dovecot, apple, seed, *options):
        self.random = random.Random(seed)
        self.dovecot = dovecot
        self.apple = apple
        self.users = [dovecot.user() for _ in range(USERS)]
        self.phones = {user: [] for user in self.users}  # answered OK
        self.mails = []  # (user, phones at that time, monotonic ns)
        self.going = threading.Event()
        self.condition = threading.Condition()  # of an OK
        self.broken = []  # connections that broke
        self.wrong = []  # what was answered
        self.bell = bell(dovecot.port, *OPTIONS, *options)

    # whose life it is

    def end(self):
        self.bell.kill()

    def past(self):
        """Where the log of the life that is over ends."""
        return len(self.bell.log())

    def begin(self):
        self.bell.start()

    # what happens in a round

    def register(self, user):
        """Registers a new phone; it counts once its OK is here."""
        phone = Phone()
        with closing(self.bell.session(user)) as client:
            assert b"XAPPLEPUSHSERVICE" in b"".join(
                [client.greeting, *client.ok("CAPABILITY")])
            register(client, phone)
            with self.condition:
                self.phones[user].append(phone)
                self.condition.notify_all()

    def deliver(self, user):
        phones = list(self.phones[user])
        self.mails.append((user, phones,
                           self.dovecot.deliver(user, message())))

    def while_going(self, what, turns, pause_s):
        """In a thread of its own; a connection may break at any moment."""
        def work():
            for user in turns:
                if not self.going.is_set():
                    return
                try:
                    what(user)
                except (Closed, OSError) as error:
                    self.broken.append(error)
                    return
                except AssertionError as error:
                    self.wrong.append(error)
                    return
                time.sleep(pause_s)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def pick(self, count):
        return [self.random.choice(self.users[1:]) for _ in range(count)]

    def answered(self):
        return sum(map(len, self.phones.values()))

    def random_moment(self):
        """At once after an OK, or soon, or some time after it."""
        enough = self.answered() + self.random.randrange(PHONES_PER_ROUND)
        delay = self.random.uniform(0, self.random.choice([0, 0.01, 0.2]))
        with self.condition:
            assert self.condition.wait_for(
                lambda: self.answered() >= enough,
                PATIENCE * SLOW), self.bell.log()
        time.sleep(delay)

    def round(self):
        """Registrations and deliveries until the kill; more while down."""
        self.going.set()
        threads = [self.while_going(self.register,
                                    self.pick(PHONES_PER_ROUND), 0),
                   self.while_going(self.deliver, self.pick(100), 0.02)]
        self.random_moment()
        self.end()
        self.going.clear()
        for thread in threads:
            thread.join()
        for user in self.pick(DOWN_MAILS):
            self.deliver(user)
        assert not self.wrong, self.wrong
        if self.random.random() < 0.3:
            self.die_young()
        self.begin()
        self.on_disk()
        if self.random.random() < 0.5:  # else what is owed grows
            self.each_mail_rang()

    def die_young(self):
        """A life that ends while it begins."""
        try:
            self.begin()
            time.sleep(self.random.uniform(0, 0.1))
        finally:
            self.end()

    # what must be true

    def rows(self, sql):
        """None of them while the database is opened."""
        try:
            with closing(sqlite3.connect("file:%s?mode=ro" % (
                    self.bell.state / "imapbell.db"), uri=True)) as database:
                return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []

    def not_kept(self):
        """The registrations that were answered OK and are not in the
        database."""
        kept = {row[0].decode() for row in self.rows(
            "SELECT device_token FROM registration")}
        return [(user, phone.token) for user in self.users
                for phone in self.phones[user]
                if phone.token.lower() not in kept]

    def on_disk(self):
        try:
            wait_until(lambda: not self.not_kept(), "registrations")
        except TimeoutError:
            raise AssertionError(self.not_kept()) from None

    def missing(self):
        """Mails that a phone has not been rung for since."""
        last = {}
        with self.apple.condition:
            for push in self.apple.requests:
                last[push["path"]] = push["t_ns"]
        return [(user, phone.token[:8]) for user, phones, mailed_ns
                in self.mails for phone in phones
                if last.get(phone.path, 0) < mailed_ns]

    def each_mail_rang(self):
        try:
            wait_until(lambda: not self.missing(), "pushes")
        except TimeoutError:
            raise AssertionError("not rung: %s" % self.missing()) from None

    def settle(self):
        """Waits until nothing is owed, and each mail was looked at."""
        counts = {}
        for user, _, _ in self.mails:
            counts[user] = counts.get(user, 0) + 1

        def settled():
            seen = {user.decode(): uidnext - 1 for user, uidnext in self.rows(
                "SELECT user, uidnext FROM state")}
            return (self.rows("SELECT count(*) FROM pending") == [(0,)]
                    and all(seen.get(user) == count
                            for user, count in counts.items()
                            if self.phones[user]))

        wait_until(settled, "all pushes settled")

    def nobody_rings_for_nothing(self):
        """
        A restart without news: all watch again, then one mail and after it
        one flag ring their user. Whatever rang for nothing would ring before:
        as new mail at once, as a change after the delay that the flag has too.
        """
        self.settle()
        self.end()
        before = self.past()
        self.begin()
        for user in self.users:
            if self.phones[user]:
                self.bell.wait_log(r" watching user=%s$" % user, start=before)
        self.apple.forget()
        control, (phone,) = self.users[0], self.phones[self.users[0]]
        self.deliver(control)
        count = len(ring(self.apple, phone))
        with closing(self.bell.session(control)) as client:
            client.ok("SELECT INBOX")
            client.ok(r"STORE 1 +FLAGS (\Flagged)")
        ring(self.apple, phone, count + 1)
        assert {push["path"] for push in self.apple.requests} == {phone.path}


class PushStory(Story):
    """
    Only the push process dies, and main has another in its place, later and
    later: no connection breaks, and what is answered OK meanwhile counts too.
    """

    def end(self):
        (self.dead,) = self.bell.children("push")
        os.kill(self.dead, signal.SIGKILL)
        wait_until(lambda: self.dead not in self.bell.children("push"),
                   "the end of the push process")

    def past(self):
        return self.bell.wait_log(r"pid=%d died: signal 9$" % self.dead).end()

    def begin(self):
        wait_until(lambda: self.bell.children("push"), "another push process")

    def round(self):
        super().round()
        assert not self.broken, self.broken


def play(story, rounds):
    untouched = story.users[0]
    story.register(untouched)
    for _ in range(rounds):
        story.round()
    story.each_mail_rang()
    # Of whom nothing changed nobody was rung, in no life.
    assert not [push for phone in story.phones[untouched]
                for push in phone.pushes(story.apple.requests)]
    story.nobody_rings_for_nothing()
    print("registrations=%d mails=%d pushes=%d" % (
        story.answered(), len(story.mails), story.apple.status()["requests"]))


@pytest.fixture
def seed():
    number = int(os.environ.get("IMAPBELL_TEST_SEED",
                                random.randrange(1 << 32)))
    print("IMAPBELL_TEST_SEED=%d" % number)
    return number


def test_kill_at_random_moments(bell, dovecot, apple, seed):
    play(Story(bell, dovecot, apple, seed), 3)


@pytest.mark.long
@pytest.mark.timeout(600 * SLOW)
def test_kill_fifty_times(bell, dovecot, apple, seed):
    play(Story(bell, dovecot, apple, seed), 50)


@pytest.mark.parametrize("workers", ["1", "4"])
def test_kill_push_at_random_moments(bell, dovecot, apple, seed, workers):
    bell.allow(DIED)
    play(PushStory(bell, dovecot, apple, seed, "--workers", workers), 3)


@pytest.mark.long
@pytest.mark.timeout(900 * SLOW)
@pytest.mark.parametrize("workers", ["1", "4"])
def test_kill_push_twenty_times(bell, dovecot, apple, seed, workers):
    """Of which the last come after the longest pauses."""
    bell.allow(DIED)
    play(PushStory(bell, dovecot, apple, seed, "--workers", workers), 20)
