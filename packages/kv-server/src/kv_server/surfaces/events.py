"""Events for those who run a server: fixed words and fields, among which no key, value, name or secret ever is.

Each is handed to the standard library's logger of the same name, with its fields as `fields`. So a process that has a
server inside decides what becomes of them; the program writes them to stderr.
"""

import logging
from typing import Any, cast

import structlog
from structlog.processors import LogfmtRenderer
from structlog.stdlib import BoundLogger, filter_by_level
from structlog.typing import EventDict, WrappedLogger

__all__ = ["events_of"]

_fields = LogfmtRenderer(bool_as_flag=False)


def events_of(room: str) -> BoundLogger:
    """The log of a *room* of the server, such as `kv.net`."""
    logger = structlog.wrap_logger(
        logging.getLogger(room),
        processors=[filter_by_level, _handed_on],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast(BoundLogger, logger)


def _handed_on(logger: WrappedLogger, method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    words = event.pop("event")
    text = f"{words} {_fields(logger, method, event)}" if event else words
    return (text,), {"extra": {"words": words, "fields": event}}
