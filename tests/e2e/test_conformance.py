# SPDX-License-Identifier: ISC
"""
A client cannot tell imapbell from the server: each dialogue has the same
transcript from the tagged login reply on, but for what the dialogue itself
names with its rule.
"""
import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

import conformance
from dialogues import DIALOGUES
from imap import Imap

SEED = int(os.environ.get("IMAPBELL_TEST_SEED", random.randrange(10**6)))
CHUNKINGS = ["whole", pytest.param("octets", marks=pytest.mark.long),
             pytest.param("random", marks=pytest.mark.long)]
PAIRS = [pytest.param(dialogue, name, id="%s-%s" % (name, dialogue.name))
         for dialogue in DIALOGUES for name in dialogue.servers]
directly = {}  # the transcript of each server and dialogue, heard once


@pytest.fixture(scope="module")
def fronts(module_bell):
    """An imapbell for each server, when it is first asked for."""
    made = {}

    def front(server):
        if server.name not in made:
            made[server.name] = module_bell(server.port)
        return made[server.name]

    return front


@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("dialogue, name", PAIRS)
def test_same_replies(request, fronts, record_property, dialogue, name,
                      chunking):
    server = request.getfixturevalue(name)
    cut = {"whole": conformance.whole, "octets": conformance.octets,
           "random": conformance.Cuts(SEED)}[chunking]
    expected = dialogue.expect or directly.get((name, dialogue.name))
    # Not while somebody logs in: Cyrus' list of users bears no writing then.
    users = [server.user() for _ in range(1 if expected else 2)]
    with ThreadPoolExecutor(1) as other:
        if not expected:
            direct = other.submit(conformance.run_direct, server, users[1],
                                  dialogue)
        heard = conformance.run_proxied(fronts(server), server, users[0],
                                        dialogue, cut)
        if not expected:
            expected = directly[name, dialogue.name] = direct.result()
    conformance.compare(heard, expected, dialogue, name,
                        "IMAPBELL_TEST_SEED=%d" % SEED)
    record_property("dialogue", [dialogue.name, name, chunking])


@pytest.mark.parametrize("text", [
    b"a NOOP\r\nb SELECT INBOX\r\nc LOGOUT\r\nd NOOP\r\n",
    b"a SELECT INBOX\r\nb STATUS INBOX (MESSAGES)\r\n",
    b"a APPEND INBOX {15}\r\nSubject: x\r\n\r\nx\r\nb EXAMINE INBOX\r\n",
    b"a IDLE\r\n", b"a NOOP\r\nb NO"], ids=range(5))
def test_half_closed(bell, server, text):
    """A client that says all it has to say and closes that direction."""
    proxy = bell(server.port, "-l", "imap://127.0.0.1:0")
    heard = []
    for port in (server.port, int(proxy.wait_log(
            r"listening url=imap://127\.0\.0\.1:(\d+)")[1])):
        with Imap(port) as client:
            user = server.user()
            client.login(user)
            client.send(text)
            client.sock.shutdown(socket.SHUT_WR)
            heard += conformance.normalise([client.rest()], user, False)
    # A line without an end Cyrus takes for a command.
    assert heard[1] != b"" and (heard[0] if text.endswith(b"\r\n") else
                                heard[0][:len(heard[1])]) == heard[1]
