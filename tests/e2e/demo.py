#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""
The second half of etc/demo.sh: everything runs on loopback inside the folder
given, which is removed at the end.

    demo.py FOLDER [--once]
"""
import argparse
import contextlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import apns_certs
from apns_standin import StandIn
from dovecot import Dovecot
from imap import Closed, Imap
from imapbell import Imapbell
from lmtp import message
from phone import Phone
from relay import TO_CLIENT, Relay

USER = "anna"
RING_S = 30
COLUMNS = min(100, shutil.get_terminal_size((80, 24)).columns)
TTY = sys.stdout.isatty()


def bold(text):
    return "\033[1m%s\033[0m" % text if TTY else text


def say(text="", start="", hang=None):
    """One paragraph, folded at blanks to the width of the screen."""
    hang = " " * len(start) if hang is None else hang
    text = textwrap.fill(text, COLUMNS, initial_indent=start,
                         subsequent_indent=hang, break_long_words=False,
                         break_on_hyphens=False)
    print(re.sub(r"XAPPLEPUSHSERVICE", lambda m: bold(m[0]), text), flush=True)


def step(name, text):
    say(text, "  %-10s " % name)


class Talk(Imap):
    """The phone's connection, with each line shown as it goes."""

    def line(self):
        line = super().line()
        say(line.decode().rstrip(), "  S: ", "       ")
        return line

    def send(self, data):
        say(data.decode().rstrip(), "  C: ", "       ")
        super().send(data)


def show_push(push):
    """Exactly as the stand-in received it."""
    for name, value in push["raw_headers"]:
        print("    %s: %s" % (name, value))
    print("\n    %s" % bold(push["body"]), flush=True)


def play(bell, phone):
    say("The phone connects to imapbell as to any IMAP server, registers and "
        "leaves.")
    print()
    client = Talk(bell.port, bell.ca)
    client.ok("LOGIN %s pass" % USER, tag="1")
    client.ok(phone.command(), tag="2")
    client.logout()
    print()


def first_ring(bell, dovecot, apple, relay, phone):
    """Delivers a mail, and shows what comes of it."""
    watcher = relay.link(rb"\b%s\b.*IDLE\r\n" % USER.encode(), RING_S)
    heard = len(watcher.chunks[TO_CLIENT])
    say("A mail for %s is delivered to Dovecot." % USER)
    print()
    handed = dovecot.deliver(USER, message("Lunch?"))
    step("0 ms", "Dovecot has the mail (LMTP)")
    push = apple.wait(1, RING_S)[0]
    arrived = (push["t_ns"] - handed) / 1e6
    exists = watcher.time_of(TO_CLIENT, b" EXISTS", heard)
    if exists is not None:
        exists = (exists - handed) / 1e6
        step("%.0f ms" % exists, 'Dovecot tells imapbell "* 1 EXISTS"; 2.3 '
             "collects news for half a second")
    step("%.0f ms" % arrived, "the push is at Apple's:")
    print()
    show_push(push)
    print()
    say(bold("The phone rings %.0f ms after the delivery%s." % (
        arrived, "" if exists is None else
        ", %.1f ms of them imapbell's" % (arrived - exists))))
    assert (push["path"], push["body"]) == (phone.path, phone.payload)


def try_yourself(bell, dovecot, folder):
    tries = (
        ("Ring again: deliver a mail to Dovecot",
         "printf 'Subject: Hi\\n\\nHello\\n' | /usr/lib/dovecot/dovecot-lda "
         "-c %s -d %s" % (dovecot.conf, USER)),
        ("Be the phone: log in through imapbell",
         "openssl s_client -quiet -crlf -CAfile %s -connect localhost:%d"
         % (bell.ca, bell.port)),
        ("", "a LOGIN %s pass" % USER),
        ("", "b CAPABILITY"),
        ("See what imapbell says", "tail -f %s" % bell.process.log),
        ("See what it keeps (the password is sealed)",
         "strings %s" % (bell.state / "imapbell.db")),
        ("See what Apple got", "tail -f %s" % (folder / "pushes")),
    )
    print()
    say("All of it stays up until Ctrl-C. Each push shows here. To try from "
        "another terminal:")
    for what, command in tries:
        if what:
            print("\n  %s" % what)
        print("    %s" % command)
    print(flush=True)


def show_pushes(apple):
    """Until a signal ends it."""
    count = 1
    while True:
        with apple.condition:
            apple.condition.wait_for(lambda: len(apple.requests) > count)
            push = apple.requests[count]
        count += 1
        print("Ring %d:\n" % count)
        show_push(push)
        print()


def demo(folder, once, stack):
    tls = apns_certs.Certs(folder / "tls")
    apple_certs = apns_certs.Certs(folder / "apple")
    dovecot = Dovecot(folder / "dovecot", tls)
    stack.callback(dovecot.stop)
    version = subprocess.run(["/usr/sbin/dovecot", "--version"],
                             capture_output=True, text=True).stdout.split()
    step("Dovecot", "%s at imap://127.0.0.1:%d, a throw-away one"
         % (version[0], dovecot.port))
    apple = stack.enter_context(StandIn(apple_certs,
                                        record=folder / "pushes"))
    step("Apple", "a stand-in for its push service at %s (HTTP/2, mutual TLS)"
         % apple.url)
    relay = stack.enter_context(Relay(dovecot.port))
    (folder / "bell").mkdir()
    bell = Imapbell(folder / "bell", "imap://127.0.0.1:%d" % relay.port, tls,
                    apple_certs, apple.url).start()
    stack.callback(bell.stop)
    step("imapbell", "at imaps://127.0.0.1:%d, in front of that Dovecot"
         % bell.port)
    print()
    phone = Phone()
    try:
        play(bell, phone)
        first_ring(bell, dovecot, apple, relay, phone)
    except (AssertionError, Closed, TimeoutError) as why:
        print("\nNo ring: %s. What imapbell says:\n\n%s" % (why, bell.log()))
        return 1
    if not once:
        try_yourself(bell, dovecot, folder)
        show_pushes(apple)
    return 0


def main():
    args = argparse.ArgumentParser()
    args.add_argument("folder", type=Path)
    args.add_argument("--once", action="store_true")
    opts = args.parse_args()

    def end(*_):
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(130 if opts.once else 0)

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in ends:
        signal.signal(number, end)
    try:
        with contextlib.ExitStack() as stack:
            return demo(opts.folder, opts.once, stack)
    finally:
        shutil.rmtree(opts.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
