"""What a canonical blob is of: told by its first byte."""

from typing import Final

from kv_protocol.extensions import BIG_INT, DECIMAL

__all__ = ["FALSE", "HEADS", "NULL", "TRUE", "class_of"]

NULL: Final = b"\xc0"
FALSE: Final = b"\xc2"
TRUE: Final = b"\xc3"


def class_of(blob: bytes) -> str:
    """Return the class of a canonical blob: null, bool, int, float, str, bytes, list, map, decimal or datetime."""
    head = blob[0]
    named = _CLASSES[head]
    if named:
        return named
    code = blob[_CODE_AT[head]]
    return "decimal" if code == DECIMAL else "int" if code == BIG_INT else "datetime"


def _heads_of_octets() -> bytes:
    table = bytearray(256)
    table[0xA0:0xC0] = b"\1" * 32
    for head, size in ((0xC4, 2), (0xC5, 3), (0xC6, 5), (0xD9, 2), (0xDA, 3), (0xDB, 5)):
        table[head] = size
    return bytes(table)


def _classes() -> list[str]:
    classes = [""] * 256
    spans = (
        (0x00, 0x80, "int"), (0x80, 0x90, "map"), (0x90, 0xA0, "list"), (0xA0, 0xC0, "str"), (0xC0, 0xC1, "null"),
        (0xC2, 0xC4, "bool"), (0xC4, 0xC7, "bytes"), (0xCA, 0xCC, "float"), (0xCC, 0xD4, "int"), (0xD9, 0xDC, "str"),
        (0xDC, 0xDE, "list"), (0xDE, 0xE0, "map"), (0xE0, 0x100, "int"),
    )  # fmt: skip
    for start, end, named in spans:
        classes[start:end] = [named] * (end - start)
    return classes


HEADS: Final = _heads_of_octets()
"""Bytes in front of the octets of a str or bytes blob, by its first byte; 0 for any other class."""

_CLASSES = _classes()
_CODE_AT = dict.fromkeys(range(0xD4, 0xD9), 1) | {0xC7: 2, 0xC8: 3, 0xC9: 5, 0xC1: 0}
