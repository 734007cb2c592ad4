"""How the blobs of scalars are laid out: made from octets and numbers, told apart and checked by their first byte.

A blob is the canonical msgpack of one value (protocol.md section 4). Nothing here unpacks: containers and extensions
are the business of `canonical.py`.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from kv_protocol.limits import MAX_INT_BYTES

__all__ = [
    "BIG_INT", "DECIMAL", "FALSE", "HEADS", "NULL", "TRAILING", "TRUE", "TRUNCATED", "Check", "Refusal",
    "big_int_octets", "bytes_blob", "class_of", "extension_blob", "float_blob", "int_blob", "is_utf8", "scalar_checks",
    "str_blob",
]  # fmt: skip

Check = Callable[[bytes], str | None]
"""Says what is wrong with a blob, None where nothing is."""

NULL: Final = b"\xc0"
FALSE: Final = b"\xc2"
TRUE: Final = b"\xc3"
DECIMAL: Final = 1
BIG_INT: Final = 2

_ONE_NAN = b"\xcb\x7f\xf8\0\0\0\0\0\0"
_HEAD8 = Struct(">BB").pack
_HEAD16 = Struct(">BH").pack
_HEAD32 = Struct(">BI").pack
_HEAD64 = Struct(">BQ").pack
_INT8 = Struct(">Bb").pack
_INT16 = Struct(">Bh").pack
_INT32 = Struct(">Bi").pack
_INT64 = Struct(">Bq").pack
_FLOAT = Struct(">Bd").pack
_FIXED_EXTENSIONS = {1: b"\xd4", 2: b"\xd5", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}

TRUNCATED: Final = "a truncated value"
TRAILING: Final = "bytes after the value"


class Refusal(Exception):
    """Why something cannot be a value; `canonical.py` says where and makes it the caller's error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def int_blob(number: int) -> bytes:
    """Return the blob of an int."""
    if -_TABLED <= number < _TABLED:
        return _INTS[number + _TABLED]
    return _int_blob(number)


def float_blob(number: float) -> bytes:
    """Return the blob of a float; every NaN has the same."""
    return _FLOAT(0xCB, number) if number == number else _ONE_NAN


def str_blob(octets: bytes) -> bytes:
    """Return the blob of the str whose UTF-8 is *octets*; that they are UTF-8 is the caller's promise."""
    size = len(octets)
    if size < 256:
        return _STR_HEADS[size] + octets
    return (_HEAD16(0xDA, size) if size < 0x1_0000 else _HEAD32(0xDB, size)) + octets


def bytes_blob(octets: bytes) -> bytes:
    """Return the blob of the bytes *octets*."""
    size = len(octets)
    if size < 256:
        return _BIN_HEADS[size] + octets
    return (_HEAD16(0xC5, size) if size < 0x1_0000 else _HEAD32(0xC6, size)) + octets


def extension_blob(code: int, data: bytes) -> bytes:
    """Return the blob of an extension with the shortest head there is."""
    size = len(data)
    head = _FIXED_EXTENSIONS.get(size)
    if head is None:
        head = _HEAD8(0xC7, size) if size < 256 else _HEAD16(0xC8, size) if size < 0x1_0000 else _HEAD32(0xC9, size)
    return head + bytes((code,)) + data


def big_int_octets(number: int) -> bytes:
    """Return the two's complement of an int that 64 bits cannot hold."""
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise Refusal(f"an int beyond {MAX_INT_BYTES} bytes")
    return number.to_bytes(size, "big", signed=True)


def is_utf8(octets: bytes) -> bool:
    """Say whether *octets* can be a str."""
    if not octets.isascii():
        try:
            octets.decode()
        except UnicodeDecodeError:
            return False
    return True


def class_of(blob: bytes) -> str:
    """Return the class of a canonical blob: null, bool, int, float, str, bytes, list, map, decimal or datetime."""
    head = blob[0]
    named = _CLASSES[head]
    if named:
        return named
    code = blob[_CODE_AT[head]]
    return "decimal" if code == DECIMAL else "int" if code == BIG_INT else "datetime"


def _int_blob(number: int) -> bytes:
    if number >= 0:
        if number < 0x100:
            return bytes((number,)) if number < 0x80 else _HEAD8(0xCC, number)
        if number < 0x1_0000:
            return _HEAD16(0xCD, number)
        if number < 0x1_0000_0000:
            return _HEAD32(0xCE, number)
        if number < 0x1_0000_0000_0000_0000:
            return _HEAD64(0xCF, number)
    else:
        if number >= -0x80:
            return bytes((number + 256,)) if number >= -32 else _INT8(0xD0, number)
        if number >= -0x8000:
            return _INT16(0xD1, number)
        if number >= -0x8000_0000:
            return _INT32(0xD2, number)
        if number >= -0x8000_0000_0000_0000:
            return _INT64(0xD3, number)
    return extension_blob(BIG_INT, big_int_octets(number))


def scalar_checks() -> dict[int, Check]:
    """Return the check of every first byte that stands for a scalar and for no extension."""
    checks: dict[int, Check] = dict.fromkeys((*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)), _single)
    checks |= dict.fromkeys(range(0xA0, 0xC0), _short_str)
    checks |= {0xCA: _narrow_float, 0xCB: _float}
    checks |= {0xD9: _str8, 0xDA: _sized("str", 2, 0x100), 0xDB: _sized("str", 4, 0x1_0000)}
    checks |= {0xC4: _bin8, 0xC5: _sized("bytes", 2, 0x100), 0xC6: _sized("bytes", 4, 0x1_0000)}
    unsigned = ((0xCC, 1, 0x80), (0xCD, 2, 0x100), (0xCE, 4, 0x1_0000), (0xCF, 8, 0x1_0000_0000))
    signed = ((0xD0, 1, 32), (0xD1, 2, 0x80), (0xD2, 4, 0x8000), (0xD3, 8, 0x8000_0000))
    checks |= {head: _unsigned(width, least) for head, width, least in unsigned}
    checks |= {head: _signed(width, beyond) for head, width, beyond in signed}
    return checks


def _single(blob: bytes) -> str | None:
    return None if len(blob) == 1 else TRAILING


def _narrow_float(blob: bytes) -> str | None:
    return "a 32-bit float"


def _float(blob: bytes) -> str | None:
    if len(blob) != 9:
        return _size_fault(blob, 9)
    if blob[1] & 0x7F == 0x7F and blob[2] >= 0xF0 and blob != _ONE_NAN and blob[2:] != b"\xf0\0\0\0\0\0\0":
        return "a NaN in another form than the one"
    return None


def _short_str(blob: bytes) -> str | None:
    if len(blob) != blob[0] - 0x9F:
        return _size_fault(blob, blob[0] - 0x9F)
    return _utf8_fault(blob[1:])


def _str8(blob: bytes) -> str | None:
    if 34 <= len(blob) == blob[1] + 2:
        return _utf8_fault(blob[2:])
    return _STR8(blob)


def _bin8(blob: bytes) -> str | None:
    if 2 <= len(blob) == blob[1] + 2:
        return None
    return _BIN8(blob)


def _utf8_fault(octets: bytes) -> str | None:
    return None if octets.isascii() or is_utf8(octets) else "a str that is not UTF-8"


def _size_fault(blob: bytes, size: int) -> str:
    return TRUNCATED if len(blob) < size else TRAILING


def _sized(kind: str, width: int, least: int) -> Check:
    start = 1 + width
    is_str = kind == "str"
    redundant = "a str with a longer head than it needs" if is_str else "bytes with a longer head than they need"

    def check(blob: bytes) -> str | None:
        size = int.from_bytes(blob[1:start], "big")
        if len(blob) != start + size:
            return _size_fault(blob, start + size)
        if size < least:
            return redundant
        return _utf8_fault(blob[start:]) if is_str else None

    return check


def _unsigned(width: int, least: int) -> Check:
    size = 1 + width

    def check(blob: bytes) -> str | None:
        if len(blob) != size:
            return _size_fault(blob, size)
        return None if int.from_bytes(blob[1:], "big") >= least else "an int with a longer head than it needs"

    return check


def _signed(width: int, beyond: int) -> Check:
    size = 1 + width

    def check(blob: bytes) -> str | None:
        if len(blob) != size:
            return _size_fault(blob, size)
        if int.from_bytes(blob[1:], "big", signed=True) < -beyond:
            return None
        return "an int with a longer head than it needs"

    return check


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


_STR8 = _sized("str", 1, 32)
_BIN8 = _sized("bytes", 1, 0)
HEADS: Final = _heads_of_octets()
"""Bytes in front of the octets of a str or bytes blob, by its first byte; 0 for any other class."""

_CLASSES = _classes()
_CODE_AT = dict.fromkeys(range(0xD4, 0xD9), 1) | {0xC7: 2, 0xC8: 3, 0xC9: 5, 0xC1: 0}
_STR_HEADS = [bytes((0xA0 + size,)) for size in range(32)] + [_HEAD8(0xD9, size) for size in range(32, 256)]
_BIN_HEADS = [_HEAD8(0xC4, size) for size in range(256)]
_TABLED = 1024
_INTS = [_int_blob(number) for number in range(-_TABLED, _TABLED)]
