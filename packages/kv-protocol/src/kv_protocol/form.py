"""The canonical form in every detail, by way of msgpack: for what is rare, and for what is wrong.

Scalars are told by their first byte. A container is canonical if what it unpacks to packs to the same bytes, so there
is one definition of the form, `encode`, and `check` accepts exactly its image.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Context, Decimal
from math import nan
from operator import ne
from struct import Struct
from types import NoneType
from typing import Any, Final

from msgpack import ExtType, Packer, Unpacker, unpackb
from msgpack.exceptions import ExtraData, FormatError, OutOfData, StackError

from kv_protocol.blobs import FALSE, NULL, TRUE, bytes_blob, float_blob, int_blob, str_blob
from kv_protocol.errors import InvalidArgument
from kv_protocol.extensions import BIG_INT, DECIMAL, Refusal, big_int_octets, extension_blob
from kv_protocol.limits import KIB, MAX_CONTAINERS, MAX_INT_BYTES, MAX_NESTING, MIB
from kv_protocol.scalars import TRAILING, TRUNCATED, Check, scalar_checks

__all__ = ["Value", "check", "decimal_text", "decode", "encode"]

Value = None | bool | int | float | Decimal | str | bytes | list[Any] | dict[str, Any] | datetime
"""What a store holds. Lists and maps hold values again, which is not spelled out: a list[str] may be given as it is."""

# An array's length is a claim, and a list of that length is made before its elements are read: nested claims would cost
# their product. Short blobs cannot claim much; longer ones are first walked over without making anything.
_HARMLESS: Final = 1 * KIB
_DOUBLE = Struct(">d").pack
_NAN_BITS = float_blob(nan)[1:]
_CONTEXT = Context(capitals=1)  # the caller's own context may spell exponents in lower case
_TOO_DEEP = f"nested deeper than {MAX_NESTING}"
_NO_VALUE = "a type that is none of a value"
_NO_KEY = "a key that is no str"
_KEYS = frozenset((str,))
_FLOATS = frozenset((float,))
_PLAIN = frozenset((NoneType, bool, int, str, bytes, Decimal))


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
    raise InvalidArgument("value" + (_explain(value, 1) or ": changed while it was encoded"))


def decode(blob: bytes) -> Value:
    """Return the value of a canonical *blob*; `InvalidArgument` where it is none that can be read."""
    try:
        value: Value = _unpack(blob)
        return value
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
        if len(blob) > MIB:
            _count_containers(blob)
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


def _count_containers(blob: bytes) -> None:
    """Refuse a value of more lists and maps than may be: each takes one byte there and a hundred here."""
    if len(blob.translate(None, _NO_CONTAINER_HEADS)) <= MAX_CONTAINERS:
        return
    left = MAX_CONTAINERS

    def count(_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Refusal(f"more than {MAX_CONTAINERS:,} lists and maps")

    unpackb(blob, raw=True, strict_map_key=False, timestamp=0, list_hook=count, object_hook=count)


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
    named = _REASONS.get(type(error))
    if named is None:
        named = next((named for words, named in _WORDS.items() if words in str(error)), "not in canonical form")
    return named


def _str(value: str) -> bytes:
    return str_blob(value.encode())


def _decimal(value: Decimal) -> bytes:
    return extension_blob(DECIMAL, decimal_text(value).encode())


def _datetime(value: datetime) -> bytes:
    if value.tzinfo != UTC:
        raise Refusal(_zone_fault(value))
    blob: bytes = Packer(datetime=True).pack(value)
    return blob


def _container(value: list[Any] | dict[str, Any]) -> bytes:
    if _survey(value, 1):
        value = _with_one_nan(value)
    blob: bytes = Packer(strict_types=True, datetime=True, default=_packable).pack(value)
    return blob


def _packable(value: Any) -> ExtType:
    """Return what msgpack packs for the two types it does not know: Decimal, and int beyond 64 bits."""
    if type(value) is Decimal:
        return ExtType(DECIMAL, decimal_text(value).encode())
    return ExtType(BIG_INT, big_int_octets(value))


def _survey(container: list[Any] | dict[str, Any], depth: int) -> bool:
    """Refuse what msgpack would pack although it is no value; return whether a NaN is in another form than the one.

    Depth first, so that a value that holds itself is met at the limit and not after its powers.
    """
    items: Collection[Any] = container
    if type(container) is dict:
        if not _KEYS.issuperset(map(type, container)):
            raise Refusal(_NO_KEY)
        items = container.values()
    if _PLAIN.issuperset(map(type, items)):
        return False
    if _FLOATS.issuperset(map(type, items)) and not any(map(ne, items, items)):
        return False
    odd = False
    for item in items:
        kind = type(item)
        if kind is dict or kind is list:
            if depth == MAX_NESTING:
                raise Refusal(_TOO_DEEP)
            if item and _survey(item, depth + 1):
                odd = True
        elif kind is float:
            if item != item and _DOUBLE(item) != _NAN_BITS:
                odd = True
        elif kind is datetime:
            if item.tzinfo != UTC:
                raise Refusal(_zone_fault(item))
        elif kind not in _PLAIN:
            raise Refusal(_NO_VALUE)
    return odd


def _with_one_nan(value: Any) -> Any:
    """Return *value* with every NaN in its one form."""
    if type(value) is list:
        return [_with_one_nan(item) for item in value]
    if type(value) is dict:
        return {key: _with_one_nan(item) for key, item in value.items()}
    return nan if type(value) is float and value != value else value


def _zone_fault(value: datetime) -> str:
    if value.tzinfo is None:
        return "a datetime without a time zone"
    return "a datetime whose time zone is not datetime.timezone.utc"


def _explain(value: Any, depth: int) -> str:
    """Return the path inside *value* to the first thing that is refused, and what it is; nothing where all is well."""
    kind = type(value)
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        return f": {_type_fault(kind)}"
    if encoder is not _container:
        try:
            encoder(value)
        except UnicodeEncodeError:
            return ": a str with a lone surrogate"
        except Refusal as refusal:
            return f": {refusal.reason}"
        return ""
    if depth > MAX_NESTING:
        return f": {_TOO_DEEP}"
    for step, item in value.items() if kind is dict else enumerate(value):
        fault = (_key_fault(step) if kind is dict else "") or _explain(item, depth + 1)
        if fault:
            return f"[{_shortened(step)}]{fault}"
    return ""


def _key_fault(key: Any) -> str:
    if type(key) is not str:
        return f": a key of type {type(key).__name__}; keys are str"
    return ": a key with a lone surrogate" if _explain(key, 1) else ""


def _type_fault(kind: type) -> str:
    for known in _ENCODERS:
        if issubclass(kind, known):
            return f"{kind.__name__}, which would come back as {known.__name__}"
    return f"{kind.__name__} is no type of a value"


def _shortened(step: object) -> str:
    shown = repr(step)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


_SHOWN = 40
_NO_CONTAINER_HEADS = bytes(head for head in range(256) if not (0x80 <= head < 0xA0 or 0xDC <= head < 0xE0))
_REASONS: dict[type[Exception], str] = {
    ExtraData: TRAILING,
    FormatError: "no msgpack at all",
    OutOfData: TRUNCATED,
    StackError: _TOO_DEEP,
    RecursionError: _TOO_DEEP,
    OverflowError: "a datetime outside of the years 1 to 9999",
    UnicodeDecodeError: "a str that is not UTF-8",
    MemoryError: "more than memory holds",
}
_WORDS = {
    "incomplete": TRUNCATED,
    "exceeds max_": TRUNCATED,
    "map key": _NO_KEY,
    "nanoseconds": "a datetime in another form than the one",
}
_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    NoneType: lambda value: NULL,
    bool: lambda value: TRUE if value else FALSE,
    int: int_blob,
    float: float_blob,
    str: _str,
    bytes: bytes_blob,
    Decimal: _decimal,
    list: _container,
    dict: _container,
    datetime: _datetime,
}
_CHECKS: list[Check] = [_check_unpacked] * 256
for _head, _check in scalar_checks().items():
    _CHECKS[_head] = _check
