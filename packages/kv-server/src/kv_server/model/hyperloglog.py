"""HyperLogLog: how many different elements there were, within 0.81 %, in 12 KiB, in the octets that Redis writes.

A sketch is a head of 16 octets (`HYLL`, an encoding, a cached count that is always marked stale here) and 16,384
registers of 6 bits. Sketches are written dense; those that Redis wrote sparse are read. The same hash as Redis's is
used, so that sketches of both count, merge and grow alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import Final

__all__ = ["EMPTY", "add", "estimate", "merged", "registers_of"]

REGISTERS: Final = 1 << 14
HEAD: Final = b"HYLL" + bytes(11) + b"\x80"
EMPTY: Final = HEAD + bytes(REGISTERS * 6 // 8)

_RANKS: Final = 64 - 14  # bits of a hash that do not choose the register
_SEED: Final = 0xADC83B19
_MIX: Final = 0xC6A4A7935BD1E995
_64: Final = (1 << 64) - 1
_TOP_BITS: Final = int.from_bytes(b"\x80" * REGISTERS, "big")
_LOW_BITS: Final = int.from_bytes(b"\x7f" * REGISTERS, "big")
_ALPHA: Final = 0.721347520444481703680


def murmur(octets: bytes) -> int:
    """MurmurHash64A."""
    size = len(octets)
    hashed = _SEED ^ size * _MIX & _64
    whole = size & ~7
    for at in range(0, whole, 8):
        block = int.from_bytes(octets[at : at + 8], "little") * _MIX & _64
        block = (block ^ block >> 47) * _MIX & _64
        hashed = (hashed ^ block) * _MIX & _64
    if size > whole:
        hashed = (hashed ^ int.from_bytes(octets[whole:], "little")) * _MIX & _64
    hashed = (hashed ^ hashed >> 47) * _MIX & _64
    return hashed ^ hashed >> 47


def place_and_rank(element: bytes) -> tuple[int, int]:
    """The register that an *element* belongs to, and the rank it gives it."""
    hashed = murmur(element)
    rest = hashed >> 14 | 1 << _RANKS
    return hashed & REGISTERS - 1, (rest & -rest).bit_length()


def registers_of(sketch: bytes) -> bytes | None:
    """The registers, an octet each; None if *sketch* is none. Raises `ValueError` if it is damaged."""
    if len(sketch) < len(HEAD) or sketch[:4] != b"HYLL" or sketch[4] > 1:
        return None
    if sketch[4] == 1:
        return bytes(_sparse(sketch[len(HEAD) :]))
    return _unpacked(sketch[len(HEAD) :]) if len(sketch) == len(EMPTY) else None


def _unpacked(packed: bytes) -> bytes:
    """6 bits to an octet: each three octets hold four registers, the lowest bits first."""
    found = bytearray(REGISTERS)
    first, second, third = packed[0::3], packed[1::3], packed[2::3]
    found[0::4] = bytearray(first.translate(_LOW_SIX))
    found[1::4] = bytearray([a >> 6 | (b & 15) << 2 for a, b in zip(first, second, strict=True)])
    found[2::4] = bytearray([b >> 4 | (c & 3) << 4 for b, c in zip(second, third, strict=True)])
    found[3::4] = bytearray(third.translate(_HIGH_SIX))
    return bytes(found)


_LOW_SIX: Final = bytes(octet & 63 for octet in range(256))
_HIGH_SIX: Final = bytes(octet >> 2 for octet in range(256))


def _packed(registers: bytes) -> bytes:
    found = bytearray(REGISTERS * 6 // 8)
    one, two, three, four = registers[0::4], registers[1::4], registers[2::4], registers[3::4]
    found[0::3] = bytearray([a | (b & 3) << 6 for a, b in zip(one, two, strict=True)])
    found[1::3] = bytearray([b >> 2 | (c & 15) << 4 for b, c in zip(two, three, strict=True)])
    found[2::3] = bytearray([c >> 4 | d << 2 for c, d in zip(three, four, strict=True)])
    return bytes(found)


def _sparse(runs: bytes) -> bytearray:
    """Registers written as runs: so many zeros, or so many of one value."""
    found = bytearray()
    at = 0
    while at < len(runs) and len(found) <= REGISTERS:
        octet = runs[at]
        if octet & 0x80:
            found += bytes([(octet >> 2 & 31) + 1]) * ((octet & 3) + 1)
        elif octet & 0x40:
            if at + 1 == len(runs):
                break
            found += bytes(((octet & 0x3F) << 8 | runs[at + 1]) + 1)
            at += 1
        else:
            found += bytes((octet & 0x3F) + 1)
        at += 1
    if at != len(runs) or len(found) != REGISTERS:
        raise ValueError("the runs of a sparse sketch do not make its registers")
    return found


def add(sketch: bytes, elements: Iterable[bytes]) -> bytes:
    """A dense *sketch*, or a sparse one, that has seen *elements* too; itself if that changes nothing."""
    changed: bytearray | None = None
    dense = sketch if sketch[4] == 0 else HEAD + _packed(bytes(_sparse(sketch[len(HEAD) :])))
    for element in elements:
        place, rank = place_and_rank(element)
        at, shift = len(HEAD) + (place * 6 >> 3), place * 6 & 7
        current = changed or dense
        pair = current[at] | (current[at + 1] << 8 if at + 1 < len(current) else 0)
        if pair >> shift & 63 < rank:
            changed = changed or bytearray(dense)
            pair = pair & ~(63 << shift) | rank << shift
            changed[at] = pair & 255
            if at + 1 < len(changed):
                changed[at + 1] = pair >> 8
    if changed is None:
        return sketch
    return HEAD + bytes(changed[len(HEAD) :])


def merged(sketches: Iterable[bytes]) -> bytes:
    """The dense sketch that has seen whatever one of those with these registers has."""
    highest = 0
    for registers in sketches:  # all registers at once: below 128, one of two is the higher if no borrow comes of it
        other = int.from_bytes(registers, "big")
        wins = (highest | _TOP_BITS) - other & _TOP_BITS
        mine = wins - (wins >> 7)
        highest = highest & mine | other & (mine ^ _LOW_BITS)
    return HEAD + _packed(highest.to_bytes(REGISTERS, "big"))


def estimate(registers: bytes) -> int:
    """How many elements were seen, by Ertl's estimator."""
    counts = [registers.count(rank) for rank in range(_RANKS + 2)]
    z = REGISTERS * _tau((REGISTERS - counts[_RANKS + 1]) / REGISTERS)
    for rank in range(_RANKS, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    if z == inf:
        return 0
    return int(_ALPHA * REGISTERS * REGISTERS / z + 0.5)


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1 - x
    before = inf
    while z != before:
        x, before, y = sqrt(x), z, 0.5 * y
        z -= (1 - x) ** 2 * y
    return z / 3


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    y, z = 1.0, x
    before = inf
    while z != before:
        x, before = x * x, z
        z += x * y
        y += y
    return z
