#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""
How long from the delivery of a mail until its push is at APNs, and how much
of that is imapbell's: from the backend's EXISTS on the wire to the request at
the stand-in. One delivery at a time, to one of a hundred users in turn, so
that no merge window is in the way. More users would measure the kernel: by
default it gives the processes of one system user 128 inotify instances, and a
Dovecot without one looks every 30 s. It reports; it judges nothing.

    latency.py [--count N]
"""
import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

USERS = 100

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import apns_certs  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from imapbell import Imapbell  # noqa: E402
from lmtp import message  # noqa: E402
from phone import Phone  # noqa: E402
from process import Process, wait_until  # noqa: E402
from relay import TO_CLIENT, Relay  # noqa: E402

STANDIN = Path(__file__).resolve().parents[1] / "e2e/apns_standin.py"


class Apple:
    """The stand-in as a process of its own: no time is lost to ours."""

    def __init__(self, folder):
        self.certs = apns_certs.Certs(folder / "apple")
        self.record = folder / "pushes"
        self.record.touch()
        self.process = Process(
            ["/usr/bin/python3", "-B", STANDIN, "--certs", folder / "apple",
             "--record", self.record], folder / "apple.log")
        self.url = json.loads(self.process.wait_output(
            r'^\{"event": "listening".*\}$')[0])["url"]
        self.read = self.record.open()

    def arrival(self, phone):
        """When the next request for |phone| was there, in ns."""
        def came():
            for line in iter(self.read.readline, ""):
                event = json.loads(line)
                if event.get("path") == phone.path:
                    return event["t_ns"]
            return None

        return wait_until(came, "push", 20)


def show(name, nanoseconds):
    ordered = sorted(value / 1e6 for value in nanoseconds)
    print("%-34s %9.2f %9.2f %9.2f" % (
        name, statistics.median(ordered),
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        ordered[-1]))


def measure(folder, count):
    certs = apns_certs.Certs(folder / "tls")
    dovecot = Dovecot(folder / "dovecot", certs)
    apple = Apple(folder)
    with Relay(dovecot.port) as relay:
        (folder / "bell").mkdir()
        bell = Imapbell(folder / "bell", "imap://127.0.0.1:%d" % relay.port,
                        certs, apple.certs, apple.url,
                        ["-o", "watch.connect_rate=1000"]).start()
        phones = {}
        for _ in range(min(count, USERS)):
            user = dovecot.user()
            phones[user] = Phone()
            client = bell.session(user)
            client.ok(phones[user].command())
            client.logout()
        links = {user: relay.link(rb"\b%s\b.*IDLE\r\n" % user.encode(), 30)
                 for user in phones}
        total, share = [], []
        for n in range(count):
            user, phone = list(phones.items())[n % len(phones)]
            heard = len(links[user].chunks[TO_CLIENT])
            handed = dovecot.deliver(user, message())
            arrival = apple.arrival(phone)
            exists = links[user].time_of(TO_CLIENT, b" EXISTS", heard)
            total.append(arrival - handed)
            share.append(arrival - exists)
        bell.stop()
    apple.process.stop()
    dovecot.stop()
    print("%d deliveries %35s %9s %9s" % (count, "median ms", "99 % ms",
                                          "max ms"))
    show("LMTP delivery to push", total)
    show("imapbell: EXISTS to push", share)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("--count", type=int, default=200)
    opts = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="imapbell-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        measure(folder, opts.count)


if __name__ == "__main__":
    main()
