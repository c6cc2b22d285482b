#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every key is in the sample configuration and in the manual with its default,
every built option and command in the manual and in --help; nothing else is. The
sample marks the keys that SIGHUP changes."""

import re
import subprocess
import sys

import sources

STRING = r'"((?:\\.|[^"\\])*)"'
ROW = re.compile(r'\b(STRING|CHECKED|STRINGS|CHOICE|NUMBER|BOOL|GROUPS)\(' +
                 STRING + r'([^;]*?)\),\n')
MEMBER = re.compile(r'\bMEMBER\(\w+, (\w+), CONF_(\w+),([^;]*?)\),\n')
OPTION = re.compile(r'\{ ' + STRING + r", (?:'(.)'|0), (?:" + STRING +
                    r'|NULL), (?:' + STRING + r'|NULL),\s')

# What the sample marks a key with that SIGHUP changes.
LIVE = ' # HUP'

# What follows the dot when the word is the name of a file.
FILES = ('c', 'conf', 'csr', 'h', 'md', 'p12', 'pem')


def unescape(text):
    return re.sub(r'\\(.)', r'\1', text)


def members(text, path, group):
    """Each key of an entry of the list |path|, with its default."""
    table = re.search(rf'\b{group} = {{\n\t\.members = (\w+),', text)[1]
    body = re.search(rf'\b{table}\[\] = {{\n(.*?)\n}};', text, re.S)[1] + '\n'
    rows = MEMBER.findall(body)
    if len(rows) != len(re.findall(r'^\t[A-Z]+\(', body, re.M)):
        sys.exit(f'{table}: a row of a form that keys.py does not know')
    for name, kind, rest in rows:
        default = re.search(r'\.fallback = ' + STRING, rest)
        default = default and unescape(default[1])
        if kind in ('STRING', 'CHOICE') and default:
            default = f'"{default}"'
        yield f'{path}.{name}', default


def keys(root):
    """Each key with its default as a file has it; None: there is none."""
    text = sources.read(root, 'src/conf/conf_table.c')
    rows = text[text.index('conf_keys[] = {'):]
    found = {}
    for kind, name, rest in ROW.findall(rows):
        last = re.findall(STRING, rest)
        default = unescape(last[0]) if last else None
        if kind in ('STRING', 'CHECKED', 'CHOICE') and default is not None:
            default = f'"{default}"'
        if kind == 'STRINGS':
            default = '()'
        found[name] = default
    if len(found) != len(re.findall(r'^\t[A-Z]+\(', rows, re.M)):
        sys.exit('conf_table.c: a row of a form that keys.py does not know')
    for name, group in re.findall(r'\bGROUPS\("([a-z_.]+)",[^;]*?(\w+)\),\n',
                                  rows):
        found.update(members(text, name, group))
    return found


def live(root):
    """The keys that SIGHUP changes."""
    text = sources.read(root, 'src/conf/conf_table.c')
    rows = re.findall(r'^\t[A-Z]+\("([a-z_.]+)", (LIVE|START),',
                      text[text.index('conf_keys[] = {'):], re.M)
    return {name for name, what in rows if what == 'LIVE'}


def options(root):
    """The long and short names, with their argument."""
    text = sources.read(root, 'src/conf/option.c')
    rows = OPTION.findall(text)
    if len(rows) != len(re.findall(r'^\t\{ "', text, re.M)):
        sys.exit('option.c: a row of a form that keys.py does not know')
    return {(letter, name, argument)
            for name, letter, argument, _ in rows}


def commands(root):
    """The commands that are built."""
    text = sources.read(root, 'src/conf/command.c')
    rows = re.findall(r'^\t\{ "([a-z]+)", [A-Z_]+,\s(NULL|\s*")', text, re.M)
    if len(rows) != len(re.findall(r'^\t\{ "', text, re.M)):
        sys.exit('command.c: a row of a form that keys.py does not know')
    return {name for name, text in rows if text != 'NULL'}


def in_sample(root):
    """Each key of the sample with what it is set to, commented out, and those
    that are marked. An entry of a list stands in lines of its own, or in prose
    behind the list's default."""
    group, last, inside, found, marked = '', '', '', {}, set()
    for n, line in enumerate(
            sources.read(root, 'etc/imapbell.conf').splitlines(), 1):
        setting = re.fullmatch(r'\t?#(\t?)([a-z_]+) = (.*);(%s)?' % LIVE, line)
        begin = re.fullmatch(r'([a-z_]+) = \{', line)
        entry = re.fullmatch(r'\t?#([a-z_]+) = \( \{(%s)?' % LIVE, line)
        if setting and bool(setting[1]) == bool(inside):
            last = (inside or group) + setting[2]
            found[last] = setting[3]
            if setting[4]:
                marked.add(last)
        elif begin:
            group = begin[1] + '.'
        elif entry:
            found[group + entry[1]] = None
            inside = f'{group}{entry[1]}.'
            if entry[2]:
                marked.add(group + entry[1])
        elif re.fullmatch(r'\t?#\} \);', line):
            inside = ''
        elif line == '};':
            group = ''
        elif re.match(r'# +(\{ )?[a-z_]+ = ', line):
            found.update((f'{last}.{name}', value) for name, value in
                         re.findall(r'([a-z_]+) = (.*?);', line))
        elif line and not re.match(r'\t?# ', line):
            sys.exit(f'etc/imapbell.conf:{n}: neither a comment nor a setting')
    return found, marked


def in_manual(root):
    """Each key of the manual with the default that it gives, or None."""
    found = {}
    for name, default in re.findall(
            r'^\.It Va (\S+)(?: No = Li (.*))?$',
            sources.read(root, 'etc/imapbell.conf.5'), re.M):
        found[name] = default.replace('\\&', '').replace('\\(dq', '"') or None
    return found


def same(a, b):
    return re.sub(r'\s', '', a or '') == re.sub(r'\s', '', b or '')


def compare_keys(root):
    table, manual = keys(root), in_manual(root)
    sample, marked = in_sample(root)
    for name in sorted(live(root) ^ marked):
        yield f'etc/imapbell.conf: {name}:{LIVE} ' + \
              ('is missing' if name not in marked else 'is wrong')
    for name in sorted(table.keys() | sample.keys() | manual.keys()):
        for place, there in (('etc/imapbell.conf', sample),
                             ('etc/imapbell.conf.5', manual)):
            if name not in there:
                yield f'{place}: {name} is missing'
            elif name not in table:
                yield f'{place}: {name} is no key of conf_table.c'
            elif table[name] is None and there is manual and there[name]:
                yield f'{place}: {name} has no default'
            elif table[name] and not same(table[name], there[name]):
                yield f'{place}: {name} = {there[name]}: the default is ' \
                      f'{table[name]}'


def compare_options(root, imapbell):
    """Options and commands, in the manual and in --help."""
    manual = sources.read(root, 'etc/imapbell.8')
    places = [('etc/imapbell.8', options(root), set(re.findall(
        r'^\.It (?:Fl (\w) , )?Fl -([a-z-]+)(?: Ar (\S+))?$', manual, re.M))),
              ('etc/imapbell.8', commands(root), set(re.findall(
                  r'^\.It Cm ([a-z]+)$', manual, re.M)))]
    if imapbell:
        text = subprocess.run([imapbell, '--help'], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        places += [('--help', options(root), set(re.findall(
            r'^  (?:-(\w), |    )--([a-z-]+)(?: ([A-Z]\S*))?', text, re.M))),
                   ('--help', commands(root), set(re.findall(
                       r'^  ([a-z]+) ', text, re.M)))]
    for place, built, there in places:
        for row in sorted(built - there):
            yield f'{place}: {row} is missing'
        for row in sorted(there - built):
            yield f'{place}: {row} is not built'


def strangers(root):
    """Words in prose that look like a key and are none."""
    table = keys(root)
    groups = '|'.join(sorted({name.split('.')[0] for name in table} -
                             {'listen'}))
    for path in ('README.md', 'NEWS.md', 'etc/imapbell.8',
                 'etc/imapbell.conf.5', 'etc/imapbell.conf'):
        text = sources.read(root, path)
        for m in re.finditer(rf'(?<![\w./@-])(?:{groups})\.[a-z]+_?[a-z_]*\b'
                             r'(?![.\w/@-])', text):
            if m.group() not in table and \
                    m.group().split('.')[1] not in FILES:
                yield f'{path}:{sources.line_of(text, m.start())}: ' \
                      f'{m.group()} is no key of conf_table.c'


def main(root, imapbell=None):
    sources.report([*compare_keys(root), *compare_options(root, imapbell),
                    *strangers(root)])


main(*sys.argv[1:])
