#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every function that a header offers has a comment: directly above, above
the group it stands in (no blank line between), or one that names it. What
_new, _free, _init and _done do is the same everywhere."""

import re
import sys

import sources

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.S)
DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.M)
ATTRIBUTE = re.compile(r'__attribute__\s*\(\(.*?\)\)\s*(?=[;\w*_])', re.S)
LIFE = re.compile(r'_(new|free|init|done)$')
NAME = re.compile(r'\b(\w+)\s*\((?!\s*\*)')


def prototypes(code):
    """Each function that is declared outside of braces, with its place."""
    depth = 0
    start = None
    for at, c in enumerate(code):
        if start is None and not c.isspace():
            start = at
        depth += (c == '{') - (c == '}')
        if depth > 0 or c not in ';}':
            continue
        text = code[start:at + 1]
        if c == '}' and text.startswith(('struct', 'enum', 'union')) and \
                '(' not in text[:text.index('{')]:
            continue  # of a type; its ';' follows
        start = None
        if text.startswith(('typedef', 'static', '}')) or '{' in text:
            continue
        m = NAME.search(ATTRIBUTE.sub('', text))
        if m:
            yield at - len(text) + 1, m.group(1)


def is_grouped(text, at):
    """Does the paragraph around this place begin with a comment?"""
    start = text.rfind('\n\n', 0, at) + 2
    return text[start:].lstrip('\n').startswith(('/*', '//'))


def problems_of(path, text):
    prose = ' '.join(COMMENT.findall(text))
    code = sources.code_only(text)
    code = DIRECTIVE.sub(lambda m: sources.blank(m.group()), code)
    for at, name in prototypes(code):
        told = LIFE.search(name) or is_grouped(text, at) or \
            re.search(rf'\b{name}\b', prose)
        if not told:
            yield f'{path}:{sources.line_of(text, at)}: {name} has no comment'


def main(root):
    sources.report([problem for path in sources.find(root, 'src', '.h')
                    for problem in problems_of(path,
                                               sources.read(root, path))])


main(sys.argv[1])
