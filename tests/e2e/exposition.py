# SPDX-License-Identifier: ISC
"""
Prometheus' text format 0.0.4, read strictly: what its own parser or promtool
would take in silence, but tell the author of, is an error too.
"""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (\S+)" % (NAME, LABEL, LABEL))
TYPES = ("counter", "gauge", "histogram")


def _value(text):
    assert re.fullmatch(r"-?\d+(\.\d+)?|[+-]Inf|NaN", text), text
    return float(text)


def _owner(name, families):
    """The family that a sample of this name belongs to."""
    for suffix in ("_bucket", "_sum", "_count", ""):
        family = name[:len(name) - len(suffix)]
        if name.endswith(suffix) and family in families and (
                suffix == "" or families[family] == "histogram"):
            return family, suffix
    raise AssertionError(name + " has no TYPE")


def _check_histogram(name, samples):
    buckets = [(math.inf if labels["le"] == "+Inf" else float(labels["le"]),
                value) for suffix, labels, value in samples
               if suffix == "_bucket"]
    total = [value for suffix, _, value in samples if suffix == "_count"]
    assert [s for s, _, _ in samples].count("_sum") == 1, name
    assert buckets == sorted(buckets), name
    assert [value for _, value in buckets] == sorted(
        value for _, value in buckets), name
    assert buckets[-1][0] == math.inf and [buckets[-1][1]] == total, name


def parse(text):
    """{'name{labels}': value} of all samples, in their order."""
    families, order, values, told = {}, [], {}, {}
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        comment = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
        if comment:
            kind, name, rest = comment.groups()
            assert name not in families, name + " is told of twice"
            if kind == "HELP":
                assert name not in told, name
                told[name] = []
                assert "\\" not in rest
            else:
                assert list(told)[-1] == name, "HELP comes before TYPE"
                assert rest in TYPES, line
                families[name] = rest
                order.append(name)
            continue
        match = SAMPLE.fullmatch(line)
        assert match, "neither a comment nor a sample: %r" % line
        name, labels, value = match.groups()
        family, suffix = _owner(name, families)
        assert family == order[-1], name + " is away from its family"
        assert match.group(0).rsplit(" ", 1)[0] not in values, line
        value = _value(value)
        if families[family] != "gauge":
            assert value >= 0, line
        values[line.rsplit(" ", 1)[0]] = value
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
        assert len(dict(pairs)) == len(pairs), line
        assert "__name__" not in dict(pairs) and (
            ("le" in dict(pairs)) == (suffix == "_bucket")), line
        told[family].append((suffix, dict(pairs), value))
    for name, kind in families.items():
        assert told[name], name + " has no samples"
        assert name.endswith("_total") == (kind == "counter"), name
        if kind == "histogram":
            _check_histogram(name, told[name])
    return values
