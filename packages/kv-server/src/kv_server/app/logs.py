"""The log of the program: one event a line on stderr, as text or as JSON.

A stderr that is gone, or that nobody reads, stops nobody: a thread writes, and what it cannot write in time is counted.
"""

import atexit
import json
import logging
import os
import queue
import threading
import time
from contextlib import suppress
from typing import Any, Final

__all__ = ["FORMATS", "start_logging"]

_MOST_KEPT: Final = 10_000
_LAST_S: Final = 1.0
_STDERR: Final = 2


class _Text(logging.Formatter):
    """`time level logger words field=value`, with whatever would break the line escaped."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if text.isprintable():
            return text
        return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _Json(_Text):
    """One object: `time`, `level`, `logger`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "words", None) or record.getMessage(),
        }
        return json.dumps({**said, **getattr(record, "fields", {}), **said}, default=str)


class _Behind(logging.Handler):
    """Has a thread write to the descriptor *fd*; keeps so many lines for it, and counts those beyond."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._lines: queue.Queue[bytes] = queue.Queue(_MOST_KEPT)
        self._lost = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()
        atexit.register(self._finish)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._lost:
                words, fields = "lines were lost", {"lines": self._lost}
                said = {"name": "kv.log", "levelname": "WARNING", "msg": f"{words} lines={self._lost}"}
                self._put(logging.makeLogRecord({**said, "words": words, "fields": fields}))
                self._lost = 0
            self._put(record)
        except queue.Full:
            self._lost += 1

    def _put(self, record: logging.LogRecord) -> None:
        self._lines.put_nowait(self.format(record).encode("utf-8", "backslashreplace") + b"\n")

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):
                while line:
                    line = line[os.write(self._fd, line) :]
            self._lines.task_done()

    def _finish(self) -> None:
        """Let what is left be written, if somebody reads it soon."""
        until = time.monotonic() + _LAST_S
        while self._lines.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)


FORMATS: Final = {"text": _Text, "json": _Json}


def start_logging(level: str, form: str) -> None:
    """Send the events of *level* and above to stderr."""
    logging.raiseExceptions = False
    handler = _Behind(_STDERR)
    handler.setFormatter(FORMATS[form]())
    logger = logging.getLogger("kv")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
