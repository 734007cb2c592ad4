"""Octets as a row of bits, the highest bit of the first octet being bit 0: counting, finding, integers of any width."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Overflow", "combined", "count_ones", "field_of", "find_bit", "fitted", "flip_to", "put_field"]

Overflow: TypeAlias = Literal["WRAP", "SAT", "FAIL"]


def _cut(octets: bytes, first: int, last: int, outside: int) -> bytearray:
    """The octets that hold the bits from *first* to *last*; their other bits are *outside*."""
    piece = bytearray(octets[first >> 3 : (last >> 3) + 1])
    before, after = 0xFF00 >> (first & 7) & 0xFF, 0xFF >> (last & 7) + 1
    if outside:
        piece[0] |= before
        piece[-1] |= after
    else:
        piece[0] &= ~before
        piece[-1] &= ~after
    return piece


def count_ones(octets: bytes, first: int, last: int) -> int:
    """How many of the bits from *first* to *last*, which exist, are set."""
    return int.from_bytes(_cut(octets, first, last, 0), "big").bit_count()


def find_bit(octets: bytes, bit: bool, first: int, last: int) -> int | None:
    """Where the first bit from *first* to *last*, which exist, that is *bit* stands."""
    piece = _cut(octets, first, last, not bit)
    rest = piece.lstrip(b"\0" if bit else b"\xff")
    if not rest:
        return None
    octet = rest[0] if bit else rest[0] ^ 0xFF
    return ((first >> 3) + len(piece) - len(rest)) * 8 + 8 - octet.bit_length()


def flip_to(octets: bytearray, place: int, bit: bool) -> None:
    """Set the bit at *place*, which exists, to *bit*."""
    mask = 0x80 >> (place & 7)
    if bit:
        octets[place >> 3] |= mask
    else:
        octets[place >> 3] &= ~mask


def combined(operation: str, sources: list[bytes]) -> bytes:
    """AND, OR or XOR of *sources*, the shorter ones padded with zeros; NOT of the only one."""
    size = max(map(len, sources))
    numbers = [int.from_bytes(source.ljust(size, b"\0"), "big") for source in sources]
    result = numbers[0]
    if operation == "NOT":
        result ^= (1 << 8 * size) - 1
    for number in numbers[1:]:
        result = result & number if operation == "AND" else result | number if operation == "OR" else result ^ number
    return result.to_bytes(size, "big")


def field_of(octets: bytes | bytearray, place: int, width: int, signed: bool) -> int:
    """The integer in the *width* bits from *place* on; bits beyond the end are zero."""
    end = place + width
    piece = bytes(octets[place >> 3 : (end + 7) >> 3]).ljust((end + 7 >> 3) - (place >> 3), b"\0")
    number = int.from_bytes(piece, "big") >> (-end & 7) & (1 << width) - 1
    return number - (1 << width) if signed and number >> width - 1 else number


def put_field(octets: bytearray, place: int, width: int, number: int) -> None:
    """Write *number* into the *width* bits from *place* on, which exist."""
    end = place + width
    first, last, shift = place >> 3, end + 7 >> 3, -end & 7
    mask = (1 << width) - 1 << shift
    old = int.from_bytes(octets[first:last], "big")
    octets[first:last] = (old & ~mask | number << shift & mask).to_bytes(last - first, "big")


def fitted(number: int, width: int, signed: bool, overflow: Overflow) -> int | None:
    """*number* as an integer of *width* bits can be; None if it cannot and is to FAIL."""
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    if low <= number <= high:
        return number
    if overflow == "FAIL":
        return None
    if overflow == "SAT":
        return low if number < low else high
    return (number - low) % (1 << width) + low
