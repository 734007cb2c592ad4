"""How far something long is, said about once a second: with a bar on a terminal, in a line of the log elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Final

__all__ = ["Progress"]

_TELL_S: Final = 1.0
_WIDTH: Final = 30


class Progress:
    """*what* is done is shown on a terminal, or else *tell* is called with the percentage."""

    def __init__(self, what: str, tell: Callable[[int], None] | None = None) -> None:
        self._what = what
        self._tell = tell
        self._terminal = sys.stderr.isatty()
        self._next_s = perf_counter() + _TELL_S

    def at(self, done: int, whole: int) -> None:
        """So much is done."""
        now = perf_counter()
        if now < self._next_s:
            return
        self._next_s = now + _TELL_S
        percent = 100 * done // max(1, whole)
        if self._terminal:
            bar = "#" * (percent * _WIDTH // 100)
            sys.stderr.write(f"\r{self._what} [{bar:<{_WIDTH}}] {percent:3} %")
            sys.stderr.flush()
        elif self._tell is not None:
            self._tell(percent)

    def end(self) -> None:
        """Leave nothing on the terminal."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
