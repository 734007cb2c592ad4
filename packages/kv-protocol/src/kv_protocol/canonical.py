"""The canonical form: a Python value to its blob and back, and the test that a blob is one.

Scalars are told by their first byte. A container is canonical if what it unpacks to packs to the same bytes, so there is
one definition of the form, `encode`, and `check` accepts exactly its image.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Context, Decimal
from operator import ne
from types import NoneType
from typing import Any, Final

from msgpack import ExtType, Packer, Unpacker, unpackb

from kv_protocol.blobs import (
    BIG_INT,
    DECIMAL,
    NULL,
    Check,
    Refusal,
    big_int_octets,
    bytes_blob,
    extension_blob,
    float_blob,
    int_blob,
    scalar_checks,
    str_blob,
)
from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import KIB, MAX_INT_BYTES, MAX_NESTING

__all__ = ["Value", "check", "decode", "decimal_text", "encode"]

Value = None | bool | int | float | Decimal | str | bytes | list[Any] | dict[str, Any] | datetime
"""What a store holds. Lists and maps hold values again; their elements are not spelled out so that any list may be given."""

# An array's length is a claim, and a list of the claimed length is made before its elements are read: nested claims would
# cost their product. Short blobs cannot claim much; longer ones are first walked over without making anything.
_HARMLESS: Final = 1 * KIB
_NAN = float("nan")
_CONTEXT = Context(capitals=1)  # the caller's own context may spell exponents in lower case
_PLAIN = frozenset((NoneType, bool, int, str, bytes, Decimal))
_EVERY = _PLAIN | {float, list, dict, datetime}


def encode(value: Value) -> bytes:
    """Return the blob of *value*.

    Raises `InvalidArgument`, saying what and where, for whatever would not come back as it went in.
    """
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        try:
            return encoder(value)
        except (Refusal, UnicodeEncodeError):
            pass
    raise InvalidArgument(_explain(value, "value", 0) or "value: changed while it was encoded")


def decode(blob: bytes) -> Value:
    """Return the value of a canonical *blob*; `InvalidArgument` where it is none that can be read."""
    try:
        return _unpack(blob)
    except Refusal as refusal:
        reason = refusal.reason
    except Exception as error:
        reason = _reason(error)
    raise InvalidArgument(f"value: {reason}")


def check(blob: bytes) -> None:
    """Raise `InvalidArgument` unless *blob* is the canonical form of a value."""
    reason = _CHECKS[blob[0]](blob) if blob else "no bytes"
    if reason is not None:
        raise InvalidArgument(f"value: {reason}")


def decimal_text(number: Decimal) -> str:
    """Return the one spelling of *number* that keeps its exponent."""
    return _CONTEXT.to_sci_string(number)


def _check_unpacked(blob: bytes) -> str | None:
    """Say what is wrong with a blob that is a container or an extension."""
    try:
        value = _unpack(blob)
        if _ENCODERS[type(value)](value) == blob:
            return None
    except Refusal as refusal:
        return refusal.reason
    except Exception as error:
        return _reason(error)
    return "not in canonical form: a key twice, a longer head or another form than the one"


def _unpack(blob: bytes) -> Any:
    if len(blob) > _HARMLESS and _CHECKS[blob[0]] is _check_unpacked:
        unpacker = Unpacker(max_buffer_size=len(blob))
        unpacker.feed(blob)
        unpacker.skip()
    return unpackb(blob, raw=False, timestamp=3, ext_hook=_extension)


def _extension(code: int, data: bytes) -> Decimal | int:
    """Return the value of an extension; a form it should not have shows when it is packed again."""
    if code == DECIMAL:
        try:
            number = Decimal(data.decode("ascii"))
        except (ArithmeticError, ValueError):
            raise Refusal("a Decimal that is no number") from None
        if decimal_text(number).encode() != data:
            raise Refusal("a Decimal in another form than the one")
        return number
    if code == BIG_INT:
        if len(data) > MAX_INT_BYTES:
            raise Refusal(f"an int beyond {MAX_INT_BYTES} bytes")
        big = int.from_bytes(data, "big", signed=True)
        if -0x8000_0000_0000_0000 <= big < 0x1_0000_0000_0000_0000:
            raise Refusal("a big int that fits 64 bits")
        return big
    raise Refusal("an extension that stands for no value")


def _reason(error: Exception) -> str:
    """Name what msgpack met; its own texts may quote the value."""
    kind = type(error).__name__
    if kind in ("ExtraData",):
        return "bytes after the value"
    return kind


def _str(value: str) -> bytes:
    return str_blob(value.encode())


def _decimal(value: Decimal) -> bytes:
    return extension_blob(DECIMAL, decimal_text(value).encode())


def _datetime(value: datetime) -> bytes:
    if value.tzinfo != UTC:
        raise Refusal(_zone_fault(value))
    return Packer(datetime=True).pack(value)


def _container(value: list[Any] | dict[str, Any]) -> bytes:
    if _survey(value, 1):
        value = _with_one_nan(value)
    return Packer(strict_types=True, datetime=True, default=_packable).pack(value)


def _packable(value: Decimal | int) -> ExtType:
    """Return what msgpack packs for the two types it does not know: Decimal, and int beyond 64 bits."""
    if type(value) is Decimal:
        return ExtType(DECIMAL, decimal_text(value).encode())
    return ExtType(BIG_INT, big_int_octets(value))


def _survey(container: list[Any] | dict[str, Any], depth: int) -> bool:
    """Refuse what msgpack would pack although it is no value; return whether there is a NaN anywhere.

    Depth first, so that a value that holds itself is met at the limit and not after its powers.
    """
    items: Collection[Any] = container
    if type(container) is dict:
        if set(map(type, container)) - {str}:
            raise Refusal("a map key that is no str")
        items = container.values()
    kinds = set(map(type, items))
    if kinds <= _PLAIN:
        return False
    if not kinds <= _EVERY:
        raise Refusal("a type that is none of a value")
    if kinds == {float}:
        return any(map(ne, items, items))
    nan = False
    for item in items:
        kind = type(item)
        if kind is dict or kind is list:
            if depth == MAX_NESTING:
                raise Refusal(_TOO_DEEP)
            if item and _survey(item, depth + 1):
                nan = True
        elif kind is float:
            if item != item:
                nan = True
        elif kind is datetime and item.tzinfo != UTC:
            raise Refusal(_zone_fault(item))
    return nan


def _with_one_nan(value: Any) -> Any:
    """Return *value* with every NaN in its one form."""
    if type(value) is list:
        return [_with_one_nan(item) for item in value]
    if type(value) is dict:
        return {key: _with_one_nan(item) for key, item in value.items()}
    return _NAN if value != value and type(value) is float else value


def _zone_fault(value: datetime) -> str:
    if value.tzinfo is None:
        return "a datetime without a time zone"
    return "a datetime whose time zone is not datetime.timezone.utc"
