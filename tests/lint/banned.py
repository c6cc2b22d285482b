#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Functions that have no bound, or whose errors cannot be seen, are banned;
arrays of variable length the compiler refuses, if it is told to."""

import json
import os
import re
import sys

import sources

BANNED = re.compile(
    r'\b(strcpy|stpcpy|strcat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll'
    r'|strtol|strtoll|strtoul|strtoull|sscanf|vsscanf|gets|alloca)\s*\(')


def calls(root):
    for folder in ('src', 'tests'):
        for path in sources.find(root, folder, '.c', '.h'):
            code = sources.code_only(sources.read(root, path))
            for m in BANNED.finditer(code):
                line = sources.line_of(code, m.start())
                yield f'{path}:{line}: {m.group(1)} is banned'


def without_vla_flag(build):
    with open(os.path.join(build, 'compile_commands.json'),
              encoding='utf-8') as f:
        for command in json.load(f):
            if '-Werror=vla' not in command['command'].split():
                yield f'{command["file"]}: compiled without -Werror=vla'


def main(root, build):
    sources.report([*calls(root), *without_vla_flag(build)])


main(sys.argv[1], sys.argv[2])
