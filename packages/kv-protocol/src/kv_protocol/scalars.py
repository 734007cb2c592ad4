"""What may be wrong with the blob of a scalar, by its first byte."""

from collections.abc import Callable
from typing import Final

from kv_protocol.blobs import float_blob, is_utf8

__all__ = ["TRAILING", "TRUNCATED", "Check", "scalar_checks"]

Check = Callable[[bytes], str | None]
"""Says what is wrong with a blob, None where nothing is."""

TRUNCATED: Final = "a truncated value"
TRAILING: Final = "bytes after the value"

_ONE_NAN = float_blob(float("nan"))


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
        octets = blob[2:]
        return None if octets.isascii() else _utf8_fault(octets)
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


_STR8 = _sized("str", 1, 32)
_BIN8 = _sized("bytes", 1, 0)
