"""Events for those who run a server: fixed words and fields, among which no key, value, name or secret ever is.

Each is handed to the standard library's logger of the same name, with its fields as `fields`. So a process that has a
server inside decides what becomes of them; the program writes them to stderr.
"""

import logging
from typing import Any

__all__ = ["Events", "events_of"]


class Events:
    """What is told of by one *logger*."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, words: str, **fields: Any) -> None:
        self._tell(logging.DEBUG, words, fields)

    def info(self, words: str, **fields: Any) -> None:
        self._tell(logging.INFO, words, fields)

    def warning(self, words: str, **fields: Any) -> None:
        self._tell(logging.WARNING, words, fields)

    def error(self, words: str, **fields: Any) -> None:
        self._tell(logging.ERROR, words, fields)

    def critical(self, words: str, **fields: Any) -> None:
        self._tell(logging.CRITICAL, words, fields)

    def _tell(self, level: int, words: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            text = " ".join((words, *(f"{name}={_shown(value)}" for name, value in fields.items())))
            self._logger.log(level, text, extra={"words": words, "fields": fields})


def events_of(room: str) -> Events:
    """The log of a *room* of the server, such as `kv.net`."""
    return Events(logging.getLogger(room))


def _shown(value: Any) -> str:
    """A field of a line, in quotes if one could not tell where it ends."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not set(text).isdisjoint(' ="'):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text.replace("\n", "\\n")
