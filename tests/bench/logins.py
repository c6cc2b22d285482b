#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""
What a login costs: the processor time of all processes of imapbell, main and
push included, for TLS 1.3 with a full handshake (RSA 2048) and with a resumed
one, and the memory of a session that idles. So for other numbers of workers,
and in the same run for others who stand in front of a server. It reports; it
judges nothing.

A login is a connection, the greeting, LOGIN, LOGOUT, each time by another user.
Behind all of them is the same scripted server, which lets everybody in: a real
one takes more than its proxy does, and of what is measured here nothing is the
server's or the clients'. HAProxy ends TLS and knows no IMAP. nginx asks whether
a login is good by HTTP, which costs it a third connection; that answer is
scripted too. Dovecot's login processes serve many clients each
(service_count = 0). Only imapbell and Dovecot log logins. Peers that are not
installed (tests/packages.sh bench) are left out. It takes two minutes where
nothing else runs; IMAPBELL_BIN names the program.

    logins.py [--count N] [--clients N] [--only NAME]
"""
import argparse
import asyncio
import functools
import multiprocessing
import os
import re
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

PROCESSORS = os.cpu_count()
IDLE = 400  # sessions whose memory is looked at

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import apns_certs  # noqa: E402
from imapbell import Imapbell  # noqa: E402
from process import (  # noqa: E402
    Process, children, free_port, processor_s, pss)

# The server behind, and who answers nginx


class Lines(asyncio.Protocol):
    """A connection that speaks in lines."""

    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for line in lines:
            self.line(line)


class Server(Lines):
    """IMAP: everything is right."""

    said = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n",
        b"LOGOUT": b"* BYE bye\r\n",
    }

    def connection_made(self, transport):
        super().connection_made(transport)
        self.command = b""
        transport.write(
            b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n")

    def line(self, line):
        self.command += line
        if re.search(rb"\{\d+\}\Z", line):
            self.transport.write(b"+ go on\r\n")
            return
        tag, verb = self.command.split()[:2]
        self.command = b""
        self.transport.write(self.said.get(verb.upper(), b"") + tag
                             + b" OK done\r\n")
        if verb.upper() == b"LOGOUT":
            self.transport.close()


class Permission(Lines):
    """HTTP for nginx: the login is good, and there is the server."""

    port = None

    def line(self, line):
        if line == b"":
            self.transport.write(
                b"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n"
                b"Auth-Server: 127.0.0.1\r\nAuth-Port: %d\r\n\r\n" % self.port)
            self.transport.close()


def serve(sockets):
    async def run():
        loop = asyncio.get_running_loop()
        for kind, sock in sockets.items():
            await loop.create_server(kind, sock=sock, backlog=1024)
        await asyncio.Event().wait()

    asyncio.run(run())


# Those who are measured: a port, the processes, and how to end them


class Bell:
    def __init__(self, workers, folder, certs, backend, _):
        self.bell = Imapbell(folder, "imap://127.0.0.1:%d" % backend, certs,
                             options=["--workers", str(workers)]).start()
        self.port = self.bell.port
        self.workers = workers
        self.stop = self.bell.stop

    @property
    def pids(self):
        return self.bell.pids

    def workers_of(self):
        """Which worker served a user: sessions are numbered in turn."""
        return {user: int(number) % max(self.workers, 1)
                for number, user in re.findall(
                    r' proxy\[(\d+)\] login user="([^"]+)" result=ok',
                    self.bell.log())}


class Peer:
    """Another program with a configuration that may name our values."""

    def __init__(self, folder, certs, command, conf, **values):
        self.port = free_port()
        path = folder / "conf"
        path.write_text(conf.format(
            folder=folder, certs=certs, port=self.port, workers=PROCESSORS,
            **values))
        self.process = Process([*command, path], folder / "output")
        self.process.wait_listening(self.port)
        self.stop = self.process.stop

    @property
    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def workers_of(self):
        return {}


class Haproxy(Peer):
    program = "/usr/sbin/haproxy"
    conf = """
global
  nbthread {workers}
defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen imaps
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem
  server server 127.0.0.1:{backend}
"""

    def __init__(self, folder, certs, backend, _):
        (folder / "both.pem").write_text("".join(
            Path(path).read_text()
            for path in (certs.server_cert, certs.server_key)))
        super().__init__(folder, certs, [self.program, "-db", "-f"], self.conf,
                         backend=backend)


class Nginx(Peer):
    program = "/usr/sbin/nginx"
    conf = """
daemon off;
pid {folder}/pid;
error_log {folder}/log;
worker_processes {workers};
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
events {{
  worker_connections 4096;
}}
mail {{
  server {{
    listen 127.0.0.1:{port} ssl;
    protocol imap;
    imap_auth plain;
    auth_http 127.0.0.1:{permission}/;
    ssl_certificate {certs.server_cert};
    ssl_certificate_key {certs.server_key};
    ssl_protocols TLSv1.3;
  }}
}}
"""

    def __init__(self, folder, certs, _, permission):
        super().__init__(folder, certs, [self.program, "-c"], self.conf,
                         permission=permission)


class Dovecot(Peer):
    program = "/usr/sbin/dovecot"
    conf = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certs.server_cert}
ssl_key = <{certs.server_key}
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 port={backend} nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service imap-login {{
  service_count = 0
  process_min_avail = {workers}
  process_limit = {workers}
  client_limit = 2000
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
"""

    def __init__(self, folder, certs, backend, _):
        super().__init__(folder, certs, [self.program, "-F", "-c"], self.conf,
                         backend=backend)


KINDS = {
    "imapbell, 1 process": functools.partial(Bell, 0),
    "imapbell, 1 worker": functools.partial(Bell, 1),
    "imapbell, 2 workers": functools.partial(Bell, 2),
    "imapbell, 4 workers": functools.partial(Bell, 4),
    "HAProxy, %d threads" % PROCESSORS: Haproxy,
    "nginx mail, %d workers" % PROCESSORS: Nginx,
    "Dovecot's login proxy, %d" % PROCESSORS: Dovecot,
}

# Clients


def client_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class Client:
    """A connection that is logged in."""

    def __init__(self, port, context, user, session=None):
        sock = socket.create_connection(("127.0.0.1", port), 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(sock, session=session)
        self.until(b"* OK ")
        self.sock.sendall(b"a LOGIN %s pass\r\n" % user.encode())
        self.until(b"a OK ")

    def until(self, start):
        data = b""
        while not re.search(rb"^%s.*\n" % re.escape(start), data, re.M):
            more = self.sock.recv(4096)
            if more == b"":
                raise OSError("closed after %r" % data)
            data += more

    def leave(self):
        self.sock.sendall(b"b LOGOUT\r\n")
        self.until(b"b OK ")
        self.sock.close()


def come(number, port, count, resume, gate, results):
    """The logins of one client; the first is not counted."""
    context = client_context()
    session, resumed = None, 0
    for n in range(count + 1):
        client = Client(port, context, "%s%d-%d" % ("fr"[resume], number, n),
                        session)
        resumed += client.sock.session_reused
        session = client.sock.session if resume else None
        client.leave()
        if n == 0:
            gate.wait()  # all have come once
            gate.wait()  # and have been looked at
    gate.wait()
    results.put(resumed)


class Load:
    """|count| logins by |clients| at once."""

    def __init__(self, server, count, clients, resume):
        gate = multiprocessing.Barrier(clients + 1)
        results = multiprocessing.Queue()
        each = count // clients
        crowd = [multiprocessing.Process(
            target=come, daemon=True,
            args=(n, server.port, each, resume, gate, results))
            for n in range(clients)]
        for client in crowd:
            client.start()
        gate.wait()
        before, begin = processor_s(server.pids), time.monotonic()
        gate.wait()
        gate.wait()
        self.wall_s = time.monotonic() - begin
        self.processor_s = processor_s(server.pids) - before
        self.resumed = sum(results.get() for _ in crowd)
        self.count = each * clients
        for client in crowd:
            client.join()


def moved(server, count, clients):
    """How many resumed sessions had begun at another worker."""
    workers = server.workers_of()
    each = count // clients
    return sum(workers["r%d-%d" % (c, n)] != workers["r%d-%d" % (c, n + 1)]
               for c in range(clients) for n in range(each))


# The table


def idle_kib(server):
    """What a session takes while it idles, once some are there."""
    context = client_context()
    first = [Client(server.port, context, "i%d" % n) for n in range(100)]
    before = pss(server.pids)
    others = [Client(server.port, context, "j%d" % n) for n in range(IDLE)]
    grown = pss(server.pids) - before
    for client in first + others:
        client.sock.close()
    return grown / IDLE / 1024


def measure(name, server, count, clients):
    idle = idle_kib(server)
    full = Load(server, count, clients, False)
    again = Load(server, count, clients, True)
    print("%-28s %8.3f %8.3f %8.0f %8.0f %8.1f%% %8s %8.1f" % (
        name, full.processor_s * 1000 / full.count,
        again.processor_s * 1000 / again.count, full.count / full.wall_s,
        again.count / again.wall_s, again.resumed * 100 / again.count,
        moved(server, count, clients) if server.workers_of() else "", idle),
        flush=True)


def machine():
    model = re.search(r"^model name\s*: (.*)$",
                      Path("/proc/cpuinfo").read_text(), re.M)
    return "%d processors %s, %s, load %.1f" % (
        os.cpu_count(), model[1] if model else "?", ssl.OPENSSL_VERSION,
        os.getloadavg()[0])


def run(folder, count, clients, only):
    certs = apns_certs.Certs(folder / "tls")
    sockets = {kind: socket.create_server(("127.0.0.1", 0))
               for kind in (Server, Permission)}
    backend, permission = (sock.getsockname()[1] for sock in sockets.values())
    Permission.port = backend
    multiprocessing.Process(target=serve, args=(sockets,),
                            daemon=True).start()
    print("%s; %d logins of each kind, %d clients" % (machine(), count,
                                                      clients))
    print("%-28s %17s %17s %9s %8s %8s" % (
        "", "ms of processor", "logins a second", "resumed", "of these",
        "KiB PSS"))
    print("%-28s %8s %8s %8s %8s %9s %8s %8s" % (
        "", "full", "resumed", "full", "resumed", "", "moved", "idle"))
    for number, (name, maker) in enumerate(KINDS.items()):
        if only not in name:
            continue
        own = folder / str(number)
        own.mkdir()
        own.chmod(0o755)
        try:
            server = maker(own, certs, backend, permission)
        except FileNotFoundError as missing:
            print("%-28s %s is not installed" % (name, missing.filename))
            continue
        measure(name, server, count, clients)
        server.stop()


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("--count", type=int, default=2000)
    args.add_argument("--clients", type=int, default=8)
    args.add_argument("--only", default="", help="part of the names to measure")
    opts = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="imapbell-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        run(folder, opts.count, opts.clients, opts.only)


if __name__ == "__main__":
    main()
