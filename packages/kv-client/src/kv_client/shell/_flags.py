"""The options of the tools: one parser for each, and numbers as people read them."""

import argparse
import sys
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Final

__all__ = ["count", "flags", "seconds", "seconds_of", "shown_bytes", "shown_ms", "ticks", "update"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def flags(tool: str, text: str) -> argparse.ArgumentParser:
    """A parser for the options of *tool*; wrong ones end the program with status 2."""
    parser = argparse.ArgumentParser(prog=f"kv {tool}", description=text, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="one JSON document for each line or result")
    return parser


def count(word: str) -> int:
    """A number from 1."""
    number = int(word)
    if number < 1:
        raise ValueError
    return number


def seconds(word: str) -> float:
    """Seconds above 0."""
    number = float(word)
    if not 0 < number < 1e6:
        raise ValueError
    return number


def ticks(interval: float, most: int | None) -> Iterator[int]:
    """Numbers from 0, one each *interval*, the first at once."""
    start = monotonic()
    number = 0
    while most is None or number < most:
        sleep(max(0.0, start + number * interval - monotonic()))
        yield number
        number += 1


def shown_bytes(number: float) -> str:
    """`1.5 KiB`."""
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def shown_ms(ms: float) -> str:
    """`1.5s`, `2m05s`, `3h10m`, `2d04h`: so much of it as matters."""
    if ms < 60_000:
        return f"{ms / 1000:.1f}s"
    minutes, rest = divmod(int(ms) // 1000, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 24 else f"{hours // 24}d{hours % 24:02}h"


def seconds_of(moments: list[float], share: float) -> float:
    """The time that so large a *share* of the sorted *moments* did not exceed."""
    return moments[min(int(len(moments) * share), len(moments) - 1)]


def update(line: str) -> None:
    """Put *line* in place of the last one, on a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{line}")
        sys.stdout.flush()
