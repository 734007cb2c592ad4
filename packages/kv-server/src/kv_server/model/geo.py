"""Places on the globe as numbers of 52 bits, distances between them, and the few ranges of numbers that cover an area.

A number interleaves the bits of latitude and longitude, each as a fraction of its range, so that places of one cell of
a grid have numbers in one range. Latitudes end where the square map of Mercator does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import asin, cos, pi, sin, sqrt
from typing import Final, NamedTuple

__all__ = [
    "EARTH_RADIUS", "LATITUDES", "LONGITUDES", "Area", "decode", "decode_all", "distance", "encode", "hash_text",
    "number_of", "ranges",
]  # fmt: skip

EARTH_RADIUS: Final = 6372797.560856
"""In meters, as Redis has it."""
LONGITUDES: Final = (-180.0, 180.0)
LATITUDES: Final = (-85.05112878, 85.05112878)

_STEPS: Final = 26  # bits of each coordinate
_WHOLE_NUMBER: Final = (1 << 2 * _STEPS) - 1
_MOST_NUMBER: Final = 1 << 60
_MOST_SCORE: Final = float(1 << 63)
_HALF_MAP: Final = 20037726.37  # meters: half of Mercator's square
_WHOLE_LATITUDES: Final = (-90.0, 90.0)
_SLACK: Final = 2.0  # meters: more than what floats lose, and than a side of the smallest cell
_ALPHABET: Final = "0123456789bcdefghjkmnpqrstuvwxyz"
_RADIANS: Final = pi / 180
_SPREAD: Final = ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F),
                  (2, 0x3333333333333333), (1, 0x5555555555555555))  # fmt: skip

Range = tuple[float, float]
Place = tuple[float, float]
"""Longitude and latitude."""


class Area(NamedTuple):
    """What lies around a place: a circle if there is a *radius*, else a box. All in meters."""

    longitude: float
    latitude: float
    radius: float | None
    width: float = 0.0
    height: float = 0.0

    def distances(self, places: list[Place]) -> list[float | None]:
        """How far each of *places* is from the middle; nothing for those that are outside."""
        if self.radius is None:
            return [self._distance_in_box(*place) for place in places]
        found = _distances(self.longitude, self.latitude, places)
        return [away if away <= self.radius else None for away in found]

    def _distance_in_box(self, longitude: float, latitude: float) -> float | None:
        if _along_meridian(latitude, self.latitude) > self.height / 2:
            return None
        if distance(longitude, latitude, self.longitude, latitude) > self.width / 2:
            return None
        return distance(self.longitude, self.latitude, longitude, latitude)

    def away(self, first: int, end: int) -> tuple[float, float]:
        """How far the places of a cell, which has the numbers from *first* up to *end*, are from the middle, at least
        and at most.
        """
        west, south = decode(first)
        half = (1 << ((end - first).bit_length() - 1) // 2) / (1 << _STEPS) / 2
        aside, up = half * (LONGITUDES[1] - LONGITUDES[0]), half * (LATITUDES[1] - LATITUDES[0])
        middle = distance(self.longitude, self.latitude, west + aside, south + up)
        around = (aside + up) * _RADIANS * EARTH_RADIUS + _SLACK
        return middle - around, middle + around

    @property
    def reach(self) -> float:
        """How far its farthest place is."""
        return sqrt((self.width / 2) ** 2 + (self.height / 2) ** 2) if self.radius is None else self.radius

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of what it lies in, in degrees."""
        half_height = self.height / 2 if self.radius is None else self.radius
        half_width = self.width / 2 if self.radius is None else self.radius
        up = half_height / EARTH_RADIUS / _RADIANS
        narrow = cos(min(abs(self.latitude) + up, 90.0) * _RADIANS)
        chord = sin(min(half_width / EARTH_RADIUS, pi) / 2)
        aside = 2 * asin(min(chord / narrow, 1.0)) / _RADIANS
        south, north = max(self.latitude - up, LATITUDES[0]), min(self.latitude + up, LATITUDES[1])
        return self.longitude - aside, south, self.longitude + aside, north


def distance(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Meters between two places along the globe (haversine)."""
    return _distances(longitude, latitude, [(other_longitude, other_latitude)])[0]


def _distances(longitude: float, latitude: float, places: list[Place]) -> list[float]:
    """Meters from one place to each of *places*."""
    here_across, here = longitude * _RADIANS, latitude * _RADIANS
    narrow, twice = cos(here), 2.0 * EARTH_RADIUS
    found = []
    for other_longitude, other_latitude in places:
        across = sin((other_longitude * _RADIANS - here_across) / 2)
        if across == 0.0:
            found.append(_along_meridian(latitude, other_latitude))
            continue
        there = other_latitude * _RADIANS
        along = sin((there - here) / 2)
        squared = along * along + narrow * cos(there) * across * across
        found.append(twice * asin(sqrt(squared) if squared < 1.0 else 1.0))
    return found


def _along_meridian(latitude: float, other: float) -> float:
    return EARTH_RADIUS * abs(other * _RADIANS - latitude * _RADIANS)


def _spread(bits: int) -> int:
    """The low 32 bits with a gap of one before each."""
    for shift, mask in _SPREAD:
        bits = (bits | bits << shift) & mask
    return bits


def _cell(degrees: float, within: Range, steps: int) -> int:
    low, high = within
    return int((degrees - low) / (high - low) * (1 << steps))


def _edges(cell: int, within: Range, steps: int) -> Range:
    low, high = within
    return low + cell / (1 << steps) * (high - low), low + (cell + 1) / (1 << steps) * (high - low)


def encode(longitude: float, latitude: float, latitudes: Range = LATITUDES) -> int:
    """The number of a place."""
    return _spread(_cell(latitude, latitudes, _STEPS)) | _spread(_cell(longitude, LONGITUDES, _STEPS)) << 1


def number_of(score: float) -> int:
    """The number of a cell that a score stands for; any score stands for one."""
    number = int(score) if -_MOST_SCORE < score < _MOST_SCORE else 0
    return number if 0 <= number < _MOST_NUMBER else number & _WHOLE_NUMBER


def decode(number: int) -> Place:
    """Longitude and latitude of the middle of the cell that has *number*."""
    return decode_all([number])[0]


def decode_all(numbers: Iterable[int]) -> list[Place]:
    """The same of many numbers."""
    parted, size = _PARTED, 1 << _STEPS
    (west, east), (south, north) = LONGITUDES, LATITUDES
    wide, high = east - west, north - south
    places = []
    for number in numbers:
        cells = (
            parted[number & 4095] | parted[number >> 12 & 4095] << 6 | parted[number >> 24 & 4095] << 12
            | parted[number >> 36 & 4095] << 18 | parted[number >> 48] << 24
        )  # fmt: skip
        column, row = cells >> 32, cells & 0xFFFFFFFF
        longitude = (west + column / size * wide + (west + (column + 1) / size * wide)) / 2
        latitude = (south + row / size * high + (south + (row + 1) / size * high)) / 2
        places.append((longitude if longitude < east else east, latitude if latitude < north else north))
    return places


def _make_parted() -> list[int]:
    """Of every 12 bits those at odd places, pushed together, and 32 bits below them those at even ones."""
    parted = [0]
    for bits in range(1, 4096):
        parted.append(parted[bits >> 2] << 1 | bits & 1 | (bits >> 1 & 1) << 32)
    return parted


_PARTED: Final = _make_parted()


def hash_text(number: int) -> str:
    """The geohash of a place, 11 characters. They cover 55 bits; what is missing of the last reads as 0."""
    longitude, latitude = decode(number)
    bits = encode(longitude, latitude, _WHOLE_LATITUDES)
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(47, 0, -5)) + _ALPHABET[0]


def ranges(area: Area) -> Iterator[tuple[int, int]]:
    """Ranges of numbers, each up to its second and without it, that hold every place in *area* (and others).

    They are those of the cell of its middle and of the cells around, of a grid coarse enough.
    """
    west, south, east, north = area.bounds()
    steps = _steps_for(area.reach, area.latitude)
    while True:
        size = 1 << steps
        x = min(_cell(area.longitude, LONGITUDES, steps), size - 1)
        y = min(_cell(area.latitude, LATITUDES, steps), size - 1)
        left, right = _edges(x, LONGITUDES, steps)
        below, above = _edges(y, LATITUDES, steps)
        wide, high = right - left, above - below
        if left - wide <= west and right + wide >= east and below - high <= south and above + high >= north:
            break
        if steps == 1:
            break
        steps -= 1
    asides = {0: True, 1: steps < 2 or right <= east, -1: steps < 2 or left >= west}
    upwards = {0: True, 1: steps < 2 or above <= north, -1: steps < 2 or below >= south}
    shift = 2 * (_STEPS - steps)
    around = [((x + dx) % size, (y + dy) % size) for dx, dy in _AROUND if asides[dx] and upwards[dy]]
    for column, row in dict.fromkeys(around):
        for number in _numbers(column, row, size):
            yield number << shift, (number + 1) << shift


def _numbers(column: int, row: int, size: int) -> Iterator[int]:
    """The number of a cell; and of those that only hold the last longitude and the last latitude."""
    columns = (column, size) if column == size - 1 else (column,)
    rows = (row, size) if row == size - 1 else (row,)
    for x in columns:
        for y in rows:
            yield _spread(y) | _spread(x) << 1


_AROUND: Final = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


def _steps_for(meters: float, latitude: float) -> int:
    """How fine a grid may be so that nine cells cover *meters* around; near the poles cells are narrow."""
    if meters == 0:
        return _STEPS
    steps = -1
    while meters < _HALF_MAP:
        meters *= 2
        steps += 1
    steps -= (abs(latitude) > 66) + (abs(latitude) > 80)
    return min(max(steps, 1), _STEPS)
