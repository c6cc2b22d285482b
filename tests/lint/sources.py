# SPDX-License-Identifier: ISC
"""What the lint scripts share: the files to read, and C without its prose."""

import os
import re
import sys

PROSE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
COMMENT = re.compile(
    r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]*)[">]', re.M)


def find(root, folder, *endings):
    """The paths, relative to root, below folder that end in one of these."""
    found = []
    for here, folders, files in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith(endings):
                found.append(os.path.relpath(os.path.join(here, name), root))
    if not found:
        sys.exit(f'no {endings} below {root}/{folder}: wrong place?')
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        return f.read()


def blank(text):
    """As many lines as before, and nothing on them."""
    return re.sub(r'[^\n]', ' ', text)


def code_only(text):
    """The text with comments, strings and characters blanked."""
    return PROSE.sub(lambda m: blank(m.group()), text)


def without_comments(text):
    return COMMENT.sub(lambda m: m.group(1) or blank(m.group()), text)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def includes(text):
    """Each include as (line, quoted or not, name)."""
    text = without_comments(text)
    for m in INCLUDE.finditer(text):
        yield line_of(text, m.start(1)), m.group(1) == '"', m.group(2)


def report(problems):
    """Ends the script: 1 if anything was found."""
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
