#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The linked program carries the hardening that the build asked for.
usage: hardening.py <program>"""

import os
import re
import subprocess
import sys


def readelf(*words):
    return subprocess.run(['readelf', '-W', *words], check=True, text=True,
                          stdout=subprocess.PIPE,
                          env={**os.environ, 'LC_ALL': 'C'}).stdout


def imported(program):
    """Names of the functions that come from libraries."""
    return re.findall(r'\bUND (\w+)', readelf('--dyn-syms', program))


def problems_of(program):
    header = readelf('-h', program)
    segments = readelf('-l', program)
    dynamic = readelf('-d', program)
    names = imported(program)

    if not re.search(r'Type:\s+DYN', header) or \
            not re.search(r'\(FLAGS_1\).*\bPIE\b', dynamic):
        yield 'not position independent (PIE)'
    if 'GNU_RELRO' not in segments:
        yield 'relocations stay writable (no RELRO)'
    if not re.search(r'\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b|'
                     r'\(BIND_NOW\)', dynamic):
        yield 'relocations are lazy, so RELRO is partial (no BIND_NOW)'
    stack = re.search(r'GNU_STACK\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x', segments)
    if stack is None or 'E' in stack.group(1):
        yield 'the stack is executable'
    if re.search(r'\sRWE\s', segments):
        yield 'a segment is both writable and executable'
    if '(TEXTREL)' in dynamic:
        yield 'code is relocated (TEXTREL)'
    if re.search(r'\((RPATH|RUNPATH)\)', dynamic):
        yield 'libraries come from a path of the build (RPATH)'
    if '__stack_chk_fail' not in names:
        yield 'the stack has no canaries (no __stack_chk_fail)'
    if not any(name.startswith('__') and name.endswith('_chk')
               for name in names):
        yield 'no call is fortified (no __*_chk)'


def main(program):
    problems = list(problems_of(program))
    for problem in problems:
        print(f'{program}: {problem}')
    sys.exit(1 if problems else 0)


main(sys.argv[1])
