"""Objects of a class as values: a map of the fields, with the version of the class under `$version`.

msgspec makes maps of attrs classes, dataclasses and its own structs, and objects of maps, checking every type on the
way in; models of pydantic do that for themselves.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from inspect import isclass
from typing import Any, Final, Generic, TypeVar

import attrs
import msgspec

from kv_protocol.errors import InvalidArgument, SchemaMismatch
from kv_protocol.values import Value

__all__ = ["Schema", "Upgrade"]

T = TypeVar("T")

VERSION: Final = "$version"
KEPT: Final = (bytes, datetime, Decimal)
"""What values are besides the types of JSON."""

Upgrade = Callable[[dict[str, Any], int], dict[str, Any]]
"""Makes the fields of today of those that an older version of the class had."""


class Schema(Generic[T]):
    """How objects of *kind* become values, and values objects."""

    def __init__(self, kind: Any, version: int, upgrade: Upgrade | None) -> None:
        if type(version) is not int or version < 1:
            raise InvalidArgument(f"version: a whole number from 1, not {version!r}")
        self.kind: type[T] = kind
        self.version = version
        self._upgrade = upgrade
        self._validate: Callable[[Any], T] | None = getattr(kind, "model_validate", None)
        plain = isclass(kind) and (
            attrs.has(kind) or is_dataclass(kind) or issubclass(kind, msgspec.Struct) or self._validate is not None
        )
        if not plain:
            raise InvalidArgument(
                f"{kind!r}: typed values are of an attrs class, a dataclass, a msgspec.Struct or a pydantic model"
            )

    def dump(self, item: T) -> dict[str, Value]:
        """The value that stands for *item*."""
        if not isinstance(item, self.kind):
            raise InvalidArgument(f"a {self.kind.__qualname__} is wanted, not {type(item).__qualname__}")
        fields: Any = item if self._validate is None else item.model_dump()  # type: ignore[attr-defined]
        try:
            plain = msgspec.to_builtins(fields, builtin_types=KEPT, str_keys=True)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"{self.kind.__qualname__}: {error}") from error
        return {VERSION: self.version, **plain}

    def load(self, value: Any) -> T:
        """The object that *value* stands for; raises `SchemaMismatch` if it stands for none."""
        if type(value) is not dict:
            raise self._mismatch(f"a {type(value).__name__} is no {self.kind.__qualname__}", 0)
        fields = value.copy()
        version = fields.pop(VERSION, 1)
        if type(version) is not int or not 1 <= version <= self.version:
            raise self._mismatch(f"version {version!r} of it; this program knows {self.version}", version)
        try:
            if version < self.version:
                if self._upgrade is None:
                    raise self._mismatch("no `upgrade` was given", version)
                fields = self._upgrade(fields, version)
            if self._validate is not None:
                return self._validate(fields)
            return msgspec.convert(fields, self.kind, builtin_types=KEPT, str_keys=True)
        except (TypeError, ValueError, LookupError) as error:  # what msgspec and pydantic raise are ValueErrors
            raise self._mismatch(str(error), version) from error

    def _mismatch(self, reason: str, version: object) -> SchemaMismatch:
        details = {"class": self.kind.__qualname__, "version": version, "known": self.version}
        of = f", written by version {version}" if version not in (0, self.version) else ""
        return SchemaMismatch(f"not a {self.kind.__qualname__}{of}: {reason}", details)
