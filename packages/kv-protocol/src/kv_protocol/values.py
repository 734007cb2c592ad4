"""Values and their canonical form: one value, one blob, so that equality of values is equality of blobs.

`encode` and `decode` go between Python values and blobs, `check` is what the server asks of every blob before it keeps it.
What you put in is what you get out, in value and in type; whatever could not keep that promise is refused by name.
How scalars read as plain text and as numbers is `scalars.py`, whose functions are told here too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Decimal
from operator import ne
from struct import Struct
from typing import Any, Final, TypeAlias

from msgpack import ExtType, Packer, UnpackException, Unpacker, unpackb

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import KIB, MAX_NESTING
from kv_protocol.scalars import (
    bytes_blob,
    checks_of_scalars,
    class_of,
    extension_value,
    int_blob,
    str_blob,
)

Value: TypeAlias = None | bool | int | float | Decimal | str | bytes | list[Any] | dict[str, Any] | datetime
