#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every header compiles alone, with the flags of the project."""

import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

import sources


def flags(build):
    """Compiler and flags of a file below src, without its names."""
    with open(os.path.join(build, 'compile_commands.json'),
              encoding='utf-8') as f:
        commands = json.load(f)
    command = next(c for c in commands if '/src/' in
                   os.path.normpath(os.path.join(build, c['file'])))
    words = shlex.split(command['command'])
    kept = []
    skip = False
    for word in words:
        if skip or word in ('-c', '-MD', command['file']):
            skip = False
        elif word in ('-o', '-MQ', '-MF'):
            skip = True
        else:
            kept.append(word)
    return kept


def compile_alone(command, build, path):
    done = subprocess.run(
        command + ['-Werror', '-fsyntax-only', '-x', 'c', path], cwd=build,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    return '' if done.returncode == 0 else f'{path}:\n{done.stdout}'


def main(root, build):
    command = flags(build)
    command += ['-I', os.path.join(root, 'src'),
                '-I', os.path.join(root, 'tests'),
                '-I', os.path.join(root, 'tests/unit')]
    paths = [os.path.join(root, path)
             for folder in ('src', 'tests')
             for path in sources.find(root, folder, '.h')]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda path: compile_alone(command, build, path),
                        paths)
        sources.report([problem for problem in done if problem])


main(sys.argv[1], sys.argv[2])
