# SPDX-License-Identifier: ISC
"""
A client cannot tell imapbell from the server: each dialogue has the same
transcript from the tagged login reply on, but for what the dialogue itself
names with its rule.
"""
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import conformance
from dialogues import DIALOGUES

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


def transcript(server, dialogue):
    key = server.name, dialogue.name
    if key not in directly:
        directly[key] = conformance.run_direct(server, dialogue)
    return directly[key]


@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("dialogue, name", PAIRS)
def test_same_replies(request, fronts, record_property, dialogue, name,
                      chunking):
    server = request.getfixturevalue(name)
    cut = {"whole": conformance.whole, "octets": conformance.octets,
           "random": conformance.Cuts(SEED)}[chunking]
    with ThreadPoolExecutor(1) as other:
        if dialogue.expect is None:
            direct = other.submit(transcript, server, dialogue)
        heard = conformance.run_proxied(fronts(server), server, dialogue, cut)
        expected = direct.result() if dialogue.expect is None \
            else dialogue.expect
    conformance.compare(heard, expected, dialogue, name,
                        "IMAPBELL_TEST_SEED=%d" % SEED)
    record_property("dialogue", [dialogue.name, name, chunking])
