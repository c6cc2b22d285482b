#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Includes only go down, and siblings on one floor never see each other."""

import re
import sys

import sources

FLOORS = [
    ['base'],
    ['imap', 'net'],
    ['store'],
    ['push'],
    ['apns', 'watch', 'proxy', 'status'],
    ['conf'],
    ['role'],
    ['process'],
    ['main.c'],
]
FLOOR = {room: n for n, rooms in enumerate(FLOORS) for room in rooms}


def may_include(room, other):
    return room == other or FLOOR[other] < FLOOR[room]


def check(path, line, name):
    if not re.fullmatch(r'[a-z0-9_]+/[a-z0-9_]+\.h', name):
        return f'"{name}" is not "folder/file.h"'
    if not path.startswith('src/'):
        return None
    room, other = path.split('/')[1], name.split('/')[0]
    for folder in (room, other):
        if folder not in FLOOR:
            return f'{folder} has no floor in tests/lint/floors.py'
    if not may_include(room, other):
        return f'{room} (floor {FLOOR[room]}) must not see "{name}"' \
               f' (floor {FLOOR[other]})'
    return None


def main(root):
    problems = []
    for path in (sources.find(root, 'src', '.c', '.h') +
                 sources.find(root, 'tests', '.c', '.h')):
        for line, quoted, name in sources.includes(sources.read(root, path)):
            problem = check(path, line, name) if quoted else None
            if problem:
                problems.append(f'{path}:{line}: {problem}')
    sources.report(problems)


main(sys.argv[1])
