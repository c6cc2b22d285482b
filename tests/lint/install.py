#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`meson install` puts these files where a distribution looks for them, and no
others. usage: install.py <meson> <build> <prefix> <file>..."""

import os
import subprocess
import sys
import tempfile

import sources


def installed(meson, build, destdir):
    """Each file that an installation leaves below destdir."""
    subprocess.run(
        [meson, 'install', '-C', build, '--no-rebuild', '--quiet'],
        check=True, env={**os.environ, 'DESTDIR': destdir})
    return {os.path.join(here, name)[len(destdir):]
            for here, _, files in os.walk(destdir) for name in files}


def main(meson, build, prefix, *names):
    wanted = {os.path.join(prefix, name) for name in names}
    with tempfile.TemporaryDirectory() as destdir:
        there = installed(meson, build, destdir)
        sources.report([
            *(f'{name} is not installed' for name in sorted(wanted - there)),
            *(f'{name} is installed' for name in sorted(there - wanted)),
        ])


main(*sys.argv[1:])
