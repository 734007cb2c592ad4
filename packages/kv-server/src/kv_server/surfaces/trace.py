"""A traceback in one line, without the exception's own text: that may hold a key or a value."""

from traceback import extract_tb
from typing import Final

__all__ = ["trace_of"]

_DEPTH: Final = 8


def trace_of(error: BaseException) -> str:
    """The class of *error* and where it came from, innermost call first."""
    frames = reversed(extract_tb(error.__traceback__, limit=-_DEPTH))
    places = (f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames)
    return f"{type(error).__name__} at {' < '.join(places)}"
