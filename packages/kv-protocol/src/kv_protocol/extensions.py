"""The two kinds of value that msgpack has no type for: Decimals, and ints that 64 bits cannot hold."""

from struct import Struct
from typing import Final

from kv_protocol.limits import MAX_INT_BYTES

__all__ = ["BIG_INT", "DECIMAL", "Refusal", "big_int_octets", "extension_blob"]

DECIMAL: Final = 1
BIG_INT: Final = 2

_HEAD8 = Struct(">BB").pack
_HEAD16 = Struct(">BH").pack
_HEAD32 = Struct(">BI").pack
_FIXED_EXTENSIONS = {1: b"\xd4", 2: b"\xd5", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}


class Refusal(Exception):
    """Why something cannot be a value; `form.py` says where and makes it the caller's error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
