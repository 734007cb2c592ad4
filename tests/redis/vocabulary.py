"""The words that templates draw from: few keys, few values, and the edges of every kind of number."""

from __future__ import annotations

from types import MappingProxyType


def words(text: str, *more: bytes) -> tuple[bytes, ...]:
    """The words of *text*, and *more* that have spaces or odd octets in them. The simplest comes first."""
    return (*text.encode().split(), *more)


KEYS = words("a a a a b b b c c absent wrong") + (b"", b"\xff\x00k", b"{a}1")
INT64 = words("9223372036854775807 -9223372036854775808 9223372036854775808 -9223372036854775809")
NO_INT = words("1.0 01 +1 -0 1e2 abc 0x1 1_0", b"", b" 1", b"1 ", "٣".encode())
TEXTS = words(
    "x 1 foobar 10 -1 3.5 5.0e3 -0 0",
    b"",
    b"hello world",
    b"\x00\xff\x80",
    "é\u4e16".encode(),
    b"a\r\nb",
    b"y" * 70,
    *INT64,
)
FLOATS = words("1 0 1.5 -1 2 0.1 3.0 -0 1e3 1.25e-2 100 3.14159265358979 -2.5 1e17 123456789.123")
NO_FLOATS = words("nan inf -inf +inf Infinity abc 1e400 0x10 1e .5 5. - 1_0", b"", b" 1", b"1 ")
MEMBERS = words("m n o p q r s") + words("1 2 10 -5 007 3.5 M", b"", b"\x00\xfe", b"z" * 70)

JUNK = words(
    "0 1 -1 2 a x abc 1.5 -0 +1 01 0x10 1e2 nan inf -inf 9223372036854775807 9223372036854775808 "
    "-9223372036854775808 18446744073709551616 1_000 NX XX GET COUNT LIMIT WITHSCORES REV EX * - (1 "
    "[a $ 0-0",
    b"",
    b" 1",
    b"1 ",
    b"1" * 40,
    b"\xff\x00",
    b"\xc3\xa9",
    "٣".encode(),
)

WORDS = MappingProxyType(
    {
        "key": KEYS,
        "value": TEXTS,
        "index": words("0 1 -1 2 -2 3 5 -3 -100 100 x", *INT64, b""),
        "count": words("1 2 0 3 10 -1 -2 100 x 9223372036854775808"),
        "positive": words("1 2 3 10 100"),
        "int": words("1 0 -1 5 10 100 -7 4611686018427387904", *INT64, *NO_INT),
        "float": (*FLOATS, *FLOATS, *NO_FLOATS),
        "field": MEMBERS,
        "member": MEMBERS,
        "seconds": words("100 1000 50000 0 -1 x 9223372036854775807 9223372036854776 1.5", b""),
        "millis": words("100000 5000000 99999 0 -1 x 9223372036854775807 9223372036854775808 1.5", b""),
        "at": words("33177117420 20000000000 1 1000 0 -1 x 9223372036854775807 9223372036854776"),
        "at_ms": words("33177117420000 20000000000000 1 1000 0 -1 x 9223372036854775807"),
        "glob": words("* a* ? [a-c] [^a] *m* [ a [] h?llo *[0-9]* [c-a]", b"\\*", b"", b"\\"),
        "junk": NO_INT,
        "db": words("0 1 2 15 16 -1 x 9223372036854775808"),
    }
)


def vocabulary(**more: tuple[bytes, ...]) -> MappingProxyType[str, tuple[bytes, ...]]:
    """The common words with *more* of one family, or with its own instead."""
    return MappingProxyType({**WORDS, **more})
