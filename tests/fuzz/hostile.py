"""Inputs that readers trip over: a value of a good input replaced, or the whole of it damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import yaml

ANY = [b"true", b"null", b"[]", b"{}", b"-1", b"1.5", b"[\n" * 2000, b"[\n" * 2000 + b"]" * 2000,
       b"1" + b"0" * 400, b"9" * 5000, b'""', b'" "', b'"a b"', b'"\xc2\xb2"', b'"\xd9\xa3"',
       b'"1e999"', b'"nan"', b'"x:y"', b'":"', b'".:x"', b'"' + b"x" * 5_000 + b'"']  # fmt: skip
"""Literals of JSON and YAML alike: too deep, too large, of another type, digits that are none."""
JSON = [*ANY, b"1e999", b"-Infinity", b"NaN", b'"\\ud800"', b'"a\\u0000b"', b"1e300",
        b'{"a":' * 3000, b'"a\\tb"', b'" a"']  # fmt: skip
BOMB = b"{a: &a [x,x,x,x,x,x,x,x,x,x], %s}" % b", ".join(
    b"%c: &%c [%s]" % (name, name, b",".join([b"*%c" % below] * 10))
    for below, name in zip(b"abcdefgh", b"bcdefghi", strict=True)
)
MERGES = b"{a: &a {k: 1}, %s}" % b", ".join(
    b"%c: &%c {<<: [%s]}" % (name, name, b",".join([b"*%c" % below] * 10))
    for below, name in zip(b"abcdefgh", b"bcdefghi", strict=True)
)
YAML = [*ANY, BOMB, MERGES, b"&x [*x]", b"&x {a: *x}", b"{a: 1, a: 2}", b".inf", b"-.inf", b".nan",
        b"0x" + b"f" * 9000, b"2001-99-99", b"!!int ''", b"!!bool x", b"!!timestamp x",
        b"!!float x", b"!!binary x", b"!!python/name:os.system x", b'"\\ud800"', b'"\\0"', b'"a\\0b"',
        b"*nowhere", b"? [a]\n  : b", b"trained:x", b"random:x@0"]  # fmt: skip
COLUMNS = [b"inf", b"-nan", b"1e999", b"9" * 5000, b"-2", b"-2147483649", b"2147483647",
           b"\xc2\xb2", b"\xd9\xa3", b"1_0", b"a\x00b", b"", b"\xef\xbb\xbf1", b"\xed\xa0\x80",
           b"\xe2\x80\xa8", b"\x1c", b"\x85", b"x" * 5_000]  # fmt: skip
MARK = "@@here@@"


def damaged(data: bytes) -> Iterator[bytes]:
    """A file cut, doubled, in another encoding, packed, or with what does not belong there."""
    yield from (b"", b"\n", b"\0", b"\xff\xfe", data[: len(data) // 2], data * 2)
    yield b"\xef\xbb\xbf" + data
    yield data.replace(b"\n", b"\r")
    yield data + b"\0"
    yield data.decode("latin-1").encode("utf-16")
    yield gzip.compress(data)
    yield gzip.compress(data)[:-5]
    yield b" " * 10_000 + data


def json_variants(data: bytes) -> Iterator[bytes]:
    """Each value of the first line's JSON, in turn, replaced by each hostile one."""
    yield from _variants(json.loads(data.splitlines()[0]), JSON)


def yaml_variants(data: bytes) -> Iterator[bytes]:
    """Each value of a YAML file, in turn, replaced by each hostile one."""
    yield from _variants(yaml.safe_load(data), YAML)


def column_variants(data: bytes) -> Iterator[bytes]:
    """Each column of the last line, in turn, replaced by each hostile one."""
    *above, last = data.splitlines(keepends=True)
    columns = last.rstrip().split(b"\t" if b"\t" in last else None)
    for place in range(len(columns)):
        for value in COLUMNS:
            row = [*columns[:place], value, *columns[place + 1 :]]
            yield b"".join(above) + b"\t".join(row) + b"\n"


def _variants(value: Any, literals: list[bytes]) -> Iterator[bytes]:
    for marked in _marked(value):
        text = json.dumps(marked).encode()
        yield from (text.replace(b'"%s"' % MARK.encode(), literal) for literal in literals)


def _marked(value: Any) -> Iterator[Any]:
    """The value with each of its parts, in turn, replaced by a mark; itself first."""
    yield MARK
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: marked} for marked in _marked(part))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from ([*value[:place], m, *value[place + 1 :]] for m in _marked(part))
