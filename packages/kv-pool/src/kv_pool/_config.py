"""How large a pool may be, how long one waits for it, how long its connections live."""

from math import isfinite
from typing import Any

from attrs import Attribute, field, frozen

from kv_protocol.errors import InvalidArgument

__all__ = ["PoolConfig"]


def _at_least(least: int) -> Any:
    def check(_: object, attribute: "Attribute[Any]", value: object) -> None:
        if type(value) is not int or value < least:
            raise InvalidArgument(f"{attribute.name}: a whole number, at least {least}, not {value!r}")

    return check


def _seconds(_: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise InvalidArgument(f"{attribute.name}: seconds above 0, or None for no end, not {value!r}")


@frozen(kw_only=True)
class PoolConfig:
    """The limits of a pool. Times are seconds; None is for ever."""

    min_size: int = field(default=2, validator=_at_least(0))
    """So many connections are kept, used or not."""
    max_size: int = field(default=10, validator=_at_least(1))
    """There are never more, those that are being opened or closed included."""
    acquire_timeout: float | None = field(default=5.0, validator=_seconds)
    """How long one waits for a connection."""
    idle_timeout: float | None = field(default=300.0, validator=_seconds)
    """A connection that nobody used for so long is closed, unless it is one of the least."""
    lifetime: float | None = field(default=3600.0, validator=_seconds)
    """So old, give or take a tenth, a connection is closed when it is free: new ones find new servers."""

    def __attrs_post_init__(self) -> None:
        if self.min_size > self.max_size:
            raise InvalidArgument(f"min_size {self.min_size} is above max_size {self.max_size}")
        if self.lifetime is not None and not isfinite(self.lifetime):
            raise InvalidArgument("lifetime: None for no end")
