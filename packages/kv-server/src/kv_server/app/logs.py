"""The log of the program: one event a line on stderr, as text or as JSON. A stderr that is gone stops nobody."""

import json
import logging
import sys
import time
from typing import Any, Final

_hidden = "rich" not in sys.modules
if _hidden:
    sys.modules["rich"] = None  # type: ignore[assignment]  # a start would wait 50 ms for what draws on terminals
import structlog  # noqa: E402, F401  # before all that takes it as it is

if _hidden:
    del sys.modules["rich"]

__all__ = ["FORMATS", "start_logging"]


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


FORMATS: Final = {"text": _Text, "json": _Json}


def start_logging(level: str, form: str) -> None:
    """Send the events of *level* and above to stderr."""
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATS[form]())
    logger = logging.getLogger("kv")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
