"""Between a caller's Python and the wire: names, values, durations, times, entries. What the generated commands are
made of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, isfinite
from typing import Any, Final, Generic, NamedTuple, Never, TypeVar, cast

from kv_protocol.errors import InvalidArgument, ProtocolError
from kv_protocol.names import text
from kv_protocol.names import wire as name
from kv_protocol.values import Value, decode, encode

__all__ = [
    "NOTHING", "OMITTED", "Entry", "bound", "by_name", "by_name_last", "decode", "decode_number", "duration_ms",
    "encode", "entry", "maybe", "moment", "name", "nothing", "same", "seconds", "text", "time_ms",
]  # fmt: skip

V = TypeVar("V")

NOTHING: Final[Never] = cast("Never", None)  # a default of any type, and of none
OMITTED: Final[Any] = type("Omitted", (), {"__repr__": lambda _: "OMITTED"})()  # None is a value


class Entry(NamedTuple, Generic[V]):
    """A value with what the store knows of it."""

    value: V
    version: int
    ttl: float | None
    """Seconds until the entry expires; None if it does not."""


def bound(edge: float | str) -> float | str | bytes:
    """Return an end of a range as it travels."""
    return name(edge) if isinstance(edge, str) else edge


def by_name(items: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield records of a name and what belongs to it; a mapping stands for as many as it has names."""
    for item in items:
        if isinstance(item, Mapping):
            yield from item.items()
        else:
            yield item


def by_name_last(items: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield the same of records that end with the name."""
    for item in items:
        if isinstance(item, Mapping):
            for name, rest in item.items():
                yield (*rest, name) if isinstance(rest, tuple) else (rest, name)
        else:
            yield item


def duration_ms(span: float | timedelta) -> int:
    """Return *span*, seconds or a timedelta, in whole milliseconds; what is left over counts as one more."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if type(seconds) not in (float, int):
        raise InvalidArgument(f"a duration must be seconds or a timedelta, not {type(span).__name__}")
    if not isfinite(seconds) or seconds < 0:
        raise InvalidArgument(f"a duration must be a finite number of seconds from 0, not {span!r}")
    return ceil(round(seconds * 1000, 3))


def time_ms(moment: datetime | float) -> int:
    """Return *moment*, an aware datetime or seconds since 1970, in whole milliseconds since 1970."""
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidArgument("a time must have a time zone: say datetime.now(UTC)")
        moment = moment.timestamp()
    if type(moment) not in (float, int):
        raise InvalidArgument(f"a time must be an aware datetime or seconds, not {type(moment).__name__}")
    if not isfinite(moment):
        raise InvalidArgument(f"a time must be finite, not {moment!r}")
    return round(moment * 1000)


def decode_number(blob: bytes) -> int | float | Decimal:
    """Return the number in *blob*."""
    value = decode(blob)
    if type(value) not in (int, float, Decimal):
        raise ProtocolError(f"a number was expected, not {type(value).__name__}")
    return value  # type: ignore[return-value]


def entry(reply: Sequence[Any] | None) -> Entry[Value] | None:
    """Return the entry in *reply*, None if there is none."""
    if reply is None:
        return None
    try:
        blob, version, ttl = reply
    except (TypeError, ValueError):
        raise ProtocolError("an entry of another form") from None
    return Entry(None if blob is None else decode(blob), version, None if ttl is None else ttl / 1000)


def seconds(ms: int) -> float:
    """Return *ms* milliseconds in seconds."""
    return ms / 1000


def moment(ms: int) -> datetime:
    """Return the time that is *ms* milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def same(reply: Any) -> Any:
    """Return a reply that is what the caller wants."""
    return reply


def maybe(reply: Any) -> Any:
    """Return the value in *reply*, None if there is none."""
    return None if reply is None else decode(reply)


def nothing(reply: object) -> None:
    """Return what the caller gets of a reply that says nothing."""
