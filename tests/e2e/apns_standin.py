#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""
A stand-in for Apple's push service: HTTP/2 over mutual TLS, checking requests
as Apple documents it, recording each, and answering by choice.

As a program:

    apns_standin.py --certs DIR [--record FILE] [--control SOCKET]

makes test certificates in DIR (apns_certs.py), listens on a free port of
127.0.0.1 and writes one JSON object a line: first {"event":"listening",
"port":N,...} to standard output, then each event to FILE or standard output.
A line of JSON on the control socket is a command; its answer is a line too:

    {"do":"answer","status":410,"reason":"Unregistered","timestamp":1}

In a test:

    with StandIn(certs) as apple:
        apple.answer(status=500, reason="InternalServerError")
        ... apple.port ...
        request = apple.wait(1)[0]

Commands (each is a method of StandIn too):

  answer   queues what the next request gets; "count" (1) requests get it
  default  what a request gets when nothing is queued; nothing given: the
           checks, then 200
  settings max_streams, initial_window: sent to all and used for new ones;
           start_streams: a new connection's limit until its first 200
  goaway   now, on all connections: "reason" (JSON), "text" or neither; "last":
           last stream id (default: the highest seen)
  close    ends all connections politely; drop: without close_notify; reset:
           TCP reset; freeze: nothing is read or sent any more
  refuse   what new connections meet: "tcp" (nobody listens), "close" (before
           TLS), "stall" (silence instead of TLS), "settings" (TLS, then
           silence), "off"
  forget   drops queued answers and recorded requests
  status   counts
  stop

An answer, or a default, says "action":

  answer   (default) "status" (200), "reason", "timestamp" (ms), "body" (raw
           text instead), "headers" ({"retry-after":"5"}), "delay_ms"
  early    the same, as soon as the headers came; with initial_window 0 the
           body was never sent, and the stream is reset with NO_ERROR
  silence  none, ever
  rst      RST_STREAM with "code" (REFUSED_STREAM 7, INTERNAL_ERROR 2, ...)
  goaway   as above; "last" may be "below" (this request was not processed) or
           "this" (default), which is answered nevertheless
  close, drop, reset, freeze: of this request's connection
"""
import argparse
import collections
import heapq
import json
import os
import re
import selectors
import signal
import socket
import ssl
import struct
import sys
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import apns_certs  # noqa: E402
from process import PATIENCE, SLOW  # noqa: E402

PUSH_TYPES = ("alert", "background", "complication", "controls",
              "fileprovider", "liveactivity", "location", "mdm", "pushtotalk",
              "voip", "widgets")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
LINGER_S = 30


def judge(request, certificate):
    """
    What Apple would say to a wrong request, as (status, reason), or None.
    |certificate| is the client's, DER, or None.
    """
    headers = request["headers"]
    names = [name for name, _ in request["raw_headers"]]
    topic = headers.get("apns-topic", "")
    path = re.match(r"/3/device/(.*)\Z", request["path"])
    if len(names) != len(set(names)):
        return 400, "DuplicateHeaders"
    if request["method"] != "POST":
        return 405, "MethodNotAllowed"
    if path is None:
        return 404, "BadPath"
    if path.group(1) == "":
        return 400, "MissingDeviceToken"
    if certificate is None and "authorization" not in headers:
        return 403, "MissingProviderToken"
    if topic == "":
        return 400, "MissingTopic"
    if not re.match(r"[A-Za-z0-9.-]+\Z", topic):
        return 400, "BadTopic"
    if certificate is not None and topic.encode() not in certificate:
        return 400, "TopicDisallowed"
    if headers.get("apns-push-type", "background") not in PUSH_TYPES:
        return 400, "InvalidPushType"
    if headers.get("apns-priority", "10") not in ("1", "5", "10"):
        return 400, "BadPriority"
    if not re.match(r"\d+\Z", headers.get("apns-expiration", "0")):
        return 400, "BadExpirationDate"
    if "apns-id" in headers and not UUID.match(headers["apns-id"]):
        return 400, "BadMessageId"
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        return 400, "BadCollapseId"
    if request["body"] == "":
        return 400, "PayloadEmpty"
    if len(request["body"].encode()) > 4096:
        return 413, "PayloadTooLarge"
    if not isinstance(request["json"], dict):
        return 400, "BadPayload"
    if (not re.match(r"([0-9a-fA-F]{2})+\Z", path.group(1))
            or set(path.group(1)) == {"0"}):
        return 400, "BadDeviceToken"
    return None


class Connection:
    """One client: TLS, then HTTP/2, in the StandIn's thread."""

    def __init__(self, owner, number, sock, peer):
        self.owner = owner
        self.number = number
        self.sock = sock
        self.peer = "%s:%d" % peer[:2]
        self.state = "tls"  # h2, lingering, frozen, closed
        self.output = b""
        self.streams = {}  # stream id -> request being received
        self.highest = 0
        self.end_after_output = None
        self.certificate = None
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8",
            validate_inbound_headers=False))

    # from below

    def ready(self, events):
        try:
            if self.state == "tls":
                self._handshake()
            if self.state == "h2":
                if events & selectors.EVENT_READ:
                    self._read()
                self.flush()
            elif self.state in ("lingering", "frozen", "mute"):
                self._drain(self.state == "lingering")
        except (OSError, ssl.SSLError) as e:
            self.finish("error", str(e))

    def _handshake(self):
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return self._watch(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            return self._watch(selectors.EVENT_WRITE)
        except (OSError, ssl.SSLError) as e:
            # The alert is out; let the peer read it before the reset.
            self.owner.record(event="tls_failed", connection=self.number,
                              peer=self.peer, error=str(e))
            return self.linger()
        self.certificate = self.sock.getpeercert(True)
        alpn = self.sock.selected_alpn_protocol()
        subject = dict(pair[0] for pair in
                       (self.sock.getpeercert() or {}).get("subject", ()))
        self.owner.record(event="connected", connection=self.number,
                          peer=self.peer, tls=self.sock.version(),
                          cipher=self.sock.cipher()[0], alpn=alpn,
                          subject=subject)
        if alpn != "h2":
            return self.finish("error", "no ALPN h2")
        if self.owner.refusal == "settings":
            self.state = "mute"
            return self._watch(selectors.EVENT_READ)
        self.state = "h2"
        limit = self.owner.start_streams or self.owner.max_streams
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limit,
                SettingCodes.INITIAL_WINDOW_SIZE: self.owner.initial_window,
                SettingCodes.MAX_HEADER_LIST_SIZE: 8000,
            })
        self.h2.initiate_connection()
        # h2 would count the peer's streams against our limit and end the
        # connection; a peer that goes over it is refused below instead.
        self.h2.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 2 ** 31
        self.h2.local_settings.acknowledge()
        self.limit = limit
        self.flush()

    def _read(self):
        while self.state == "h2":
            try:
                data = self.sock.recv(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLWantWriteError:
                return
            except ssl.SSLEOFError:
                return self.finish("eof", "no close_notify")
            if data == b"":
                return self.finish("eof", "close_notify")
            now = time.monotonic_ns()
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError as e:
                self.flush()
                return self.finish("protocol error", repr(e))
            for event in events:
                self._event(event, now)
            self.flush()

    def _drain(self, until_eof):
        try:
            data = socket.socket.recv(self.sock, 65536) if isinstance(
                self.sock, ssl.SSLSocket) and self.sock._sslobj is None \
                else self.sock.recv(65536)
            if data == b"" and until_eof:
                self.finish("closed", "")
            elif data == b"":
                self._watch(0)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError,
                BlockingIOError):
            pass

    # HTTP/2

    def _event(self, event, now):
        if isinstance(event, h2.events.RequestReceived):
            self._headers(event, now)
        elif isinstance(event, h2.events.DataReceived):
            request = self.streams.get(event.stream_id)
            if request is not None:
                request["body"] += event.data
            if event.flow_controlled_length > 0:
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            if self.streams.pop(event.stream_id, None) is not None:
                self.owner.record(event="reset", connection=self.number,
                                  stream=event.stream_id,
                                  code=int(event.error_code), t_ns=now)
        elif isinstance(event, h2.events.PingReceived):
            self.owner.record(event="ping", connection=self.number, t_ns=now)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.owner.record(event="goaway", connection=self.number,
                              code=int(event.error_code), t_ns=now)
        if isinstance(event, h2.events.StreamEnded):
            self._complete(event.stream_id, now)

    def _headers(self, event, now):
        raw = [(name, value) for name, value in event.headers]
        headers = dict(raw)
        self.highest = max(self.highest, event.stream_id)
        request = {
            "stream": event.stream_id, "t_headers_ns": now,
            "method": headers.get(":method", ""),
            "path": headers.get(":path", ""), "headers": headers,
            "raw_headers": raw, "body": b"",
            "never_indexed": [h[0] for h in event.headers
                              if not getattr(h, "indexable", True)],
        }
        self.streams[event.stream_id] = request
        if len(self.streams) > self.limit:
            del self.streams[event.stream_id]
            self.owner.record(event="over_limit", connection=self.number,
                              stream=event.stream_id, t_ns=now)
            return self.rst(event.stream_id, 7)
        if self.owner.peek().get("action") == "early":
            del self.streams[event.stream_id]
            self._take(request, now)
            self.reply(event.stream_id, request, request["rule"])
            if event.stream_ended is None:
                self.rst(event.stream_id, 0)

    def _complete(self, stream_id, now):
        request = self.streams.get(stream_id)
        if request is None:
            return
        self._take(request, now)
        rule = request["rule"]
        action = rule.get("action", "answer")
        if action == "answer":
            self._later(rule, lambda: self.reply(stream_id, request, rule))
        elif action == "rst":
            self._later(rule, lambda: self.rst(stream_id,
                                               rule.get("code", 2)))
        elif action == "goaway":
            last = rule.get("last", "this")
            last = {"this": stream_id, "below": stream_id - 2}.get(last, last)
            self.goaway(dict(rule, last=max(last, 0)))
            if last >= stream_id:
                self.reply(stream_id, request, rule)
            else:
                self.streams.pop(stream_id, None)
        elif action in ("close", "drop", "reset", "freeze"):
            self._later(rule, lambda: self.end(action))

    def _take(self, request, now):
        body = request["body"].decode("utf-8", "replace")
        request.update(t_ns=now, body=body, connection=self.number,
                       time=time.time(),
                       token=request["path"].rpartition("/")[2])
        try:
            request["json"] = json.loads(body)
        except ValueError:
            request["json"] = None
        request["rule"] = self.owner.take(request)
        self.owner.request(request)

    def _later(self, rule, what):
        delay = rule.get("delay_ms", 0)
        if delay:
            self.owner.after(delay / 1000, lambda: self._run(what))
        else:
            what()

    def _run(self, what):
        if self.state == "h2":
            what()
            self.flush()

    def reply(self, stream_id, request, rule):
        status = rule.get("status")
        reason = rule.get("reason")
        if status is None:
            verdict = judge(request, self.certificate)
            status, reason = verdict if verdict else (200, None)
        body = rule.get("body")
        if body is None and (reason is not None or "timestamp" in rule):
            content = {} if reason is None else {"reason": reason}
            if "timestamp" in rule:
                content["timestamp"] = rule["timestamp"]
            body = json.dumps(content, separators=(",", ":"))
        headers = [(":status", str(status))]
        if "apns-id" in request["headers"]:
            headers.append(("apns-id", request["headers"]["apns-id"]))
        if body is not None:
            headers.append(("content-type", "application/json"))
        headers += [(k.lower(), str(v))
                    for k, v in rule.get("headers", {}).items()]
        self.streams.pop(stream_id, None)
        try:
            self.h2.send_headers(stream_id, headers, end_stream=not body)
            if body:
                self.h2.send_data(stream_id, body.encode(), end_stream=True)
        except h2.exceptions.ProtocolError as e:
            self.owner.record(event="not_answered", connection=self.number,
                              stream=stream_id, why=repr(e))
            return
        self.owner.record(event="answered", connection=self.number,
                          stream=stream_id, status=status, reason=reason,
                          n=request.get("n"), t_ns=time.monotonic_ns())
        if status == 200 and self.limit != self.owner.max_streams \
                and self.owner.start_streams:
            self.settings(self.owner.max_streams, None)

    def rst(self, stream_id, code):
        self.streams.pop(stream_id, None)
        try:
            self.h2.reset_stream(stream_id, code)
        except h2.exceptions.ProtocolError:
            pass

    def settings(self, max_streams, initial_window):
        """Written by hand: see _handshake on what h2 would make of it."""
        if self.state != "h2":
            return
        payload = b""
        if max_streams is not None:
            self.limit = max_streams
            payload += struct.pack(">HI", 3, max_streams)
        if initial_window is not None:
            payload += struct.pack(">HI", 4, initial_window)
        self._frame(4, payload)

    def goaway(self, rule):
        """Written by hand: h2 would not answer streams after it."""
        if self.state != "h2":
            return
        debug = rule.get("text", "")
        if rule.get("reason") is not None and "status" not in rule:
            debug = json.dumps({"reason": rule["reason"]})
        last = rule.get("last")
        self._frame(7, struct.pack(">II", self.highest if last is None
                                   else last, rule.get("code", 0))
                    + debug.encode())

    def _frame(self, kind, payload):
        # What h2 has waiting goes first.
        self.output += self.h2.data_to_send()
        self.output += (struct.pack(">I", len(payload))[1:]
                        + struct.pack(">BBI", kind, 0, 0) + payload)
        self.flush()

    # ends

    def flush(self):
        if self.state != "h2":
            return
        self.output += self.h2.data_to_send()
        while self.output:
            try:
                n = self.sock.send(self.output)
            except ssl.SSLWantWriteError:
                break
            except ssl.SSLWantReadError:
                break
            except OSError as e:
                return self.finish("error", str(e))
            self.output = self.output[n:]
        self._watch(selectors.EVENT_READ | (selectors.EVENT_WRITE
                                            if self.output else 0))

    def end(self, how):
        if self.state not in ("h2", "tls", "mute"):
            return
        if how == "close":
            self.flush()
            try:
                self.sock.unwrap()
            except (OSError, ValueError):
                pass
            self.linger()
        elif how == "drop":
            self.flush()
            self.linger()
        elif how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.finish("reset", "")
        elif how == "freeze":
            self.state = "frozen"
            self._watch(0)

    def linger(self):
        """FIN, then read until the peer's, so that no reset overtakes us."""
        self.state = "lingering"
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as e:
            return self.finish("error", str(e))
        self._watch(selectors.EVENT_READ)
        self.owner.after(LINGER_S, lambda: self.finish("closed", ""))

    def finish(self, event, why):
        if self.state == "closed":
            return
        self.state = "closed"
        self._watch(0)
        self.sock.close()
        self.owner.gone(self, event, why)

    def _watch(self, events):
        self.owner.watch(self.sock, events, self.ready)


class StandIn:
    """
    The server. |certs| is an apns_certs.Certs, or anything with server_cert,
    server_key and ca. |record|: a path that gets the JSON lines, "-" standard
    output, None nowhere. |control|: path of a unix socket, or None.
    """

    def __init__(self, certs, host="127.0.0.1", port=0, record=None,
                 control=None, max_streams=1000, start_streams=0,
                 initial_window=65535, tls="1.2"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls == "1.2-only":
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(certs.server_cert, certs.server_key)
        self.context.load_verify_locations(certs.ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["h2"])
        self.certs = certs
        self.host = host
        self.port = port
        self.max_streams = max_streams
        self.start_streams = start_streams
        self.initial_window = initial_window
        self.refusal = "off"
        self.requests = []
        self.events = []
        self.condition = threading.Condition()
        self._queue = collections.deque()
        self._default = {}
        self._connections = {}
        self._accepted = 0
        self._taken = 0
        self._timers = []
        self._timer_count = 0
        self._calls = collections.deque()
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_r.setblocking(False)
        self.watch(self._wake_r, selectors.EVENT_READ, self._woken)
        self._record = None
        if record == "-":
            self._record = sys.stdout
        elif record is not None:
            self._record = open(record, "a", buffering=1)
        self._listener = None
        self._control = None
        self._control_path = control
        self._running = True
        self._thread = None

    # life

    def open(self):
        """Listens; |port| is known from here on."""
        self._bind()
        self._listen()
        if self._control_path is not None:
            if os.path.exists(self._control_path):
                os.unlink(self._control_path)
            self._control = socket.socket(socket.AF_UNIX)
            self._control.bind(self._control_path)
            self._control.listen()
            self._control.setblocking(False)
            self.watch(self._control, selectors.EVENT_READ,
                       self._control_accept)
        return {"event": "listening", "host": self.host, "port": self.port,
                "url": "https://%s:%d" % (self.host, self.port),
                "pid": os.getpid(), "ca": self.certs.ca}

    def run(self):
        """Serves until stop, in this thread."""
        try:
            while self._running:
                self._turn()
        finally:
            self._end()

    def _turn(self):
        timeout = None
        if self._timers:
            timeout = max(0, self._timers[0][0] - time.monotonic())
        for key, events in self._selector.select(timeout):
            key.data(events)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _end(self):
        for connection in list(self._connections.values()):
            connection.finish("stopped", "")
        for sock in (self._listener, self._control, self._wake_r):
            if sock is not None:
                self.watch(sock, 0, None)
                sock.close()
        if self._control_path is not None:
            os.unlink(self._control_path)
        self._selector.close()
        if self._record not in (None, sys.stdout):
            self._record.close()

    def stop_at_eof(self, fd):
        def ready(_):
            if os.read(fd, 4096) == b"":
                self._running = False

        self.watch(fd, selectors.EVENT_READ, ready)

    def start(self):
        self.open()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        if self._running:
            self.call("stop")
        if self._thread is not None:
            self._thread.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return "https://%s:%d" % (self.host, self.port)

    # for tests, from any thread

    def call(self, do, **args):
        """Carries the command |do| out in the server's thread."""
        done = threading.Event()
        result = {}

        def work():
            result.update(self.command(dict(args, do=do)))
            done.set()

        if self._thread is None or self._thread is threading.current_thread():
            work()
        else:
            self._calls.append(work)
            self._wake_w.send(b"x")
            done.wait(PATIENCE * SLOW)
        if not result.get("ok"):
            raise ValueError(result.get("error", "no answer"))
        return result

    def answer(self, **rule):
        return self.call("answer", **rule)

    def default(self, **rule):
        return self.call("default", **rule)

    def settings(self, **args):
        return self.call("settings", **args)

    def goaway(self, **rule):
        return self.call("goaway", **rule)

    def close(self):
        return self.call("close")

    def drop(self):
        return self.call("drop")

    def reset(self):
        return self.call("reset")

    def freeze(self):
        return self.call("freeze")

    def refuse(self, how="tcp"):
        return self.call("refuse", how=how)

    def forget(self):
        return self.call("forget")

    def status(self):
        return self.call("status")

    def wait(self, count, timeout=PATIENCE * SLOW):
        """The requests, once there are |count|; AssertionError if never."""
        with self.condition:
            if not self.condition.wait_for(
                    lambda: len(self.requests) >= count, timeout):
                raise AssertionError("%d of %d requests after %g s"
                                     % (len(self.requests), count, timeout))
            return list(self.requests)

    def wait_event(self, name, count=1, timeout=PATIENCE * SLOW):
        """The events called |name|, once there are |count|."""
        def found():
            return [e for e in self.events if e["event"] == name]

        with self.condition:
            if not self.condition.wait_for(lambda: len(found()) >= count,
                                           timeout):
                raise AssertionError("no %d times %s after %g s"
                                     % (count, name, timeout))
            return found()

    # commands

    def command(self, command):
        """Carries out one command; in the server's thread."""
        try:
            do = command.pop("do")
            if do in ("close", "drop", "reset", "freeze"):
                for connection in list(self._connections.values()):
                    connection.end(do)
                return {"ok": True}
            method = getattr(self, "_do_" + do, None)
            if method is None:
                return {"ok": False, "error": "unknown command " + do}
            return dict({"ok": True}, **(method(command) or {}))
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            return {"ok": False, "error": repr(e)}

    def _do_answer(self, rule):
        count = rule.pop("count", 1)
        self._queue.extend([rule] * count)

    def _do_default(self, rule):
        self._default = rule

    def _do_settings(self, args):
        max_streams = args.get("max_streams")
        window = args.get("initial_window")
        self.start_streams = args.get("start_streams", self.start_streams)
        if max_streams is not None:
            self.max_streams = max_streams
        if window is not None:
            self.initial_window = window
        for connection in list(self._connections.values()):
            connection.settings(max_streams, window)

    def _do_goaway(self, rule):
        for connection in list(self._connections.values()):
            connection.goaway(rule)

    def _do_refuse(self, args):
        how = args.get("how", "tcp")
        if how not in ("tcp", "close", "stall", "settings", "off"):
            raise ValueError(how)
        self.refusal = how
        if how == "tcp":
            self.watch(self._listener, 0, None)
            self._listener.close()
            self._bind()  # or somebody else has the port meanwhile
        else:
            self._listen()

    def _do_forget(self, _):
        self._queue.clear()
        with self.condition:
            self.requests.clear()
            self.events.clear()

    def _do_status(self, _):
        return {"port": self.port, "requests": self._taken,
                "accepted": self._accepted, "queued": len(self._queue),
                "connections": [
                    {"connection": c.number, "peer": c.peer,
                     "state": c.state, "open_streams": len(c.streams)}
                    for c in self._connections.values()]}

    def _do_stop(self, _):
        self._running = False

    # for connections

    def peek(self):
        return self._queue[0] if self._queue else self._default

    def take(self, request):
        self._taken += 1
        request["n"] = self._taken
        return self._queue.popleft() if self._queue else self._default

    def request(self, request):
        shown = {k: v for k, v in request.items() if k != "rule"}
        self.record(**dict({"event": "request"}, **shown))
        with self.condition:
            self.requests.append(shown)
            self.condition.notify_all()

    def gone(self, connection, event, why):
        self._connections.pop(connection.number, None)
        self.record(event="disconnected", connection=connection.number,
                    how=event, why=why)

    def record(self, **event):
        with self.condition:
            self.events.append(event)
            self.condition.notify_all()
        if self._record is not None:
            self._record.write(json.dumps(event) + "\n")
            self._record.flush()

    def watch(self, sock, events, ready):
        try:
            known = self._selector.get_key(sock)
        except (KeyError, ValueError):
            known = None
        if events == 0:
            if known is not None:
                self._selector.unregister(sock)
        elif known is None:
            self._selector.register(sock, events, ready)
        elif known.events != events or known.data != ready:
            self._selector.modify(sock, events, ready)

    def after(self, delay_s, what):
        self._timer_count += 1
        heapq.heappush(self._timers, (time.monotonic() + delay_s,
                                      self._timer_count, what))

    # sockets

    def _bind(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]

    def _listen(self):
        self._listener.listen(128)
        self.watch(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self, _):
        try:
            sock, peer = self._listener.accept()
        except OSError:
            return
        self._accepted += 1
        self.record(event="accepted", connection=self._accepted,
                    peer="%s:%d" % peer[:2], t_ns=time.monotonic_ns())
        if self.refusal == "close":
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.refusal != "stall":
            try:
                sock = self.context.wrap_socket(sock, server_side=True,
                                                do_handshake_on_connect=False)
            except OSError:  # gone already
                sock.close()
                return
        connection = Connection(self, self._accepted, sock, peer)
        self._connections[connection.number] = connection
        if self.refusal == "stall":
            connection.state = "mute"
        self.watch(sock, selectors.EVENT_READ, connection.ready)

    def _control_accept(self, _):
        try:
            sock, _ = self._control.accept()
        except OSError:
            return
        sock.setblocking(False)
        pending = bytearray()

        def ready(_):
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            pending.extend(data)
            while b"\n" in pending:
                line, _, rest = bytes(pending).partition(b"\n")
                pending[:] = rest
                try:
                    result = self.command(json.loads(line))
                except ValueError as e:
                    result = {"ok": False, "error": str(e)}
                try:
                    sock.sendall(json.dumps(result).encode() + b"\n")
                except OSError:
                    data = b""
            if data == b"":
                self.watch(sock, 0, None)
                sock.close()

        self.watch(sock, selectors.EVENT_READ, ready)

    def _woken(self, _):
        self._wake_r.recv(4096)
        while self._calls:
            self._calls.popleft()()


def command(path, **args):
    """Sends one command to the control socket |path|; returns its answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(json.dumps(args).encode() + b"\n")
        with sock.makefile() as f:
            return json.loads(f.readline())


def main():
    args = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="What the control socket understands is told at the top of "
               "this file.")
    args.add_argument("--certs", required=True, metavar="DIR",
                      help="test certificates, made if missing")
    args.add_argument("--topic", default=apns_certs.TOPIC,
                      help="of the client certificate, if made")
    args.add_argument("--host", default="127.0.0.1")
    args.add_argument("--port", type=int, default=0)
    args.add_argument("--record", default="-", metavar="FILE",
                      help="where the JSON lines go (default: -)")
    args.add_argument("--control", metavar="SOCKET")
    args.add_argument("--until-eof", action="store_true",
                      help="stop when standard input ends, so that nothing "
                           "is left behind by a caller that dies")
    args.add_argument("--max-streams", type=int, default=1000)
    args.add_argument("--start-streams", type=int, default=0)
    args.add_argument("--initial-window", type=int, default=65535)
    opts = args.parse_args()
    server = StandIn(apns_certs.Certs(opts.certs, opts.topic), opts.host,
                     opts.port, opts.record, opts.control, opts.max_streams,
                     opts.start_streams, opts.initial_window)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listening = server.open()
    if opts.until_eof:
        server.stop_at_eof(sys.stdin.fileno())
    print(json.dumps(listening), flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
