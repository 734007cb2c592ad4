"""Logs: one line an event on stderr, `time level logger message key=value`. No value and no secret is ever logged."""

import logging
import sys
import time

__all__ = ["start_logging"]


class _Lines(logging.Formatter):
    """Writes UTC with milliseconds, and keeps every event on its line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") if not text.isprintable() else text


def start_logging(level: str) -> None:
    """Send the logs of level *level* and above to stderr. A stderr that is gone stops nobody."""
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("kv")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
