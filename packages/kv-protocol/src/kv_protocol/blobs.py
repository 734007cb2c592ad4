"""How the blobs of scalars are laid out: made from octets and numbers.

A blob is the canonical msgpack of one value (protocol.md section 4). Nothing here unpacks.
"""

from struct import Struct

from kv_protocol.classes import FALSE, HEADS, NULL, TRUE, class_of
from kv_protocol.extensions import BIG_INT, big_int_octets, extension_blob

__all__ = [
    "FALSE", "HEADS", "NULL", "TRUE", "bytes_blob", "class_of", "float_blob", "int_blob", "is_utf8", "str_blob",
]  # fmt: skip

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


def is_utf8(octets: bytes) -> bool:
    """Say whether *octets* can be a str."""
    if not octets.isascii():
        try:
            octets.decode()
        except UnicodeDecodeError:
            return False
    return True


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


_STR_HEADS = [bytes((0xA0 + size,)) for size in range(32)] + [_HEAD8(0xD9, size) for size in range(32, 256)]
_BIN_HEADS = [_HEAD8(0xC4, size) for size in range(256)]
_TABLED = 1024
_INTS = [_int_blob(number) for number in range(-_TABLED, _TABLED)]
