"""From the body of a frame to the parts of a request. Bodies come from strangers: what they make us build is bounded.

An array is made at the length that its head claims before its elements are read, and an element of one byte becomes an
object of fifty. A short body cannot claim much. Of a long one the arguments are read one by one, against a budget.
"""

from collections.abc import Callable, Sized
from typing import Any, Final, TypeAlias, TypeVar

from msgpack import Unpacker, unpackb

from kv_protocol.errors import InvalidArgument, ProtocolError, TooLarge

__all__ = ["LEAST_BATCH", "SHORT", "Overfull", "Request", "positive_numbers", "read_first", "read_request", "refusal"]

SHORT: Final = 4 * 1024  # bytes of a body that may be unpacked as it is
LEAST_BATCH: Final = SHORT  # so that a short body never holds more arguments than a call may have

_MAX_ID: Final = 2**32 - 1
_NARROW: Final = 64  # elements of an array or map inside an argument: blocks and options are short
_DEEP: Final = 3  # an argument that is a call, its arguments, those that were counted
_MAP_HEADS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_ARRAY_HEADS: Final = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))

Request: TypeAlias = tuple[int, bytes, list[Any], dict[Any, Any] | None, dict[Any, Any] | None]

S = TypeVar("S", bound=Sized)


class Overfull(TooLarge):
    """A request with more arguments than a call may have: answered under its id, the connection goes on."""

    def __init__(self, request_id: Any, limit: int) -> None:
        super().__init__(f"a call of more than {limit:,} arguments", {"limit": limit})
        if type(request_id) is not int or not 0 < request_id <= _MAX_ID:
            raise refusal(request_id)
        self.request_id = request_id


def read_request(body: bytes, still_open: set[int], max_batch: int) -> Request:
    """Id, name, arguments, options and meta of the request in *body*; its id is not one of *still_open*.

    Raises `ProtocolError`, and anything at all where *body* is no request; `Overfull` beyond *max_batch* arguments.
    """
    message = unpackb(body, raw=True, strict_map_key=False) if len(body) <= SHORT else _read_long(body, max_batch)
    size = len(message)
    options = meta = None
    if size == 5:
        request_id, name, args, options, meta = message
    elif size == 3:
        request_id, name, args = message
    else:
        request_id, name, args, options = message
    if (
        type(request_id) is not int
        or not 0 < request_id <= _MAX_ID
        or type(name) is not bytes
        or type(args) is not list
        or (options is not None and type(options) is not dict)
        or (meta is not None and type(meta) is not dict)
        or (still_open and request_id in still_open)
    ):
        if type(request_id) is int and request_id in still_open:
            raise ProtocolError(f"the id {request_id} belongs to a call that is still open")
        raise refusal(request_id)
    return request_id, name, args, options, meta


def _read_long(body: bytes, max_batch: int) -> list[Any]:
    """The parts of the request in *body*, still to be checked, with at most *max_batch* arguments and parts of those.

    Raises `Overfull` where there are more, and anything at all where *body* is no request.
    """
    spent = 0

    def spend(items: S) -> S:
        nonlocal spent
        spent += len(items)
        if spent > max_batch:
            raise ProtocolError("more parts of arguments than a call may have")
        return items

    unpacker = Unpacker(
        max_buffer_size=len(body), raw=True, strict_map_key=False, list_hook=spend, object_hook=spend,
        max_array_len=_NARROW, max_map_len=_NARROW,
    )  # fmt: skip
    unpacker.feed(body)
    unpack, tell = unpacker.unpack, unpacker.tell
    size = unpacker.read_array_header()
    if not 3 <= size <= 5:
        raise ProtocolError(f"a request of {size} parts")
    message: list[Any] = [unpack(), unpack()]

    def count(read_header: Callable[[], int]) -> range:
        nonlocal spent
        found = read_header()
        spent += found
        if spent > max_batch:
            raise Overfull(message[0], max_batch)
        return range(found)

    def read(depth: int) -> Any:
        """What comes next; arrays and maps down to *depth* are read one by one: they may be long."""
        head = body[tell()]
        if depth and head in _ARRAY_HEADS:
            return [read(depth - 1) for _ in count(unpacker.read_array_header)]
        if depth and head in _MAP_HEADS:
            return {unpack(): read(depth - 1) for _ in count(unpacker.read_map_header)}
        return unpack()

    message.append([read(_DEEP) for _ in count(unpacker.read_array_header)])
    for _ in range(size - 3):
        message.append(read(_DEEP - 1))
        spent = 0  # meta is no argument
    if tell() != len(body):
        raise ProtocolError("a frame with bytes after its array")
    return message


def read_first(body: bytes) -> tuple[int, bytes, list[Any], dict[Any, Any] | None]:
    """Id, name, arguments and options of the first request of a connection. Raises `ProtocolError`."""
    try:
        message = unpackb(body, raw=True, strict_map_key=False, max_array_len=8, max_map_len=16)
    except Exception as error:
        raise ProtocolError(f"a frame that holds no request: {type(error).__name__}") from None
    if type(message) is not list or not 3 <= len(message) <= 5:
        raise ProtocolError("a frame that holds no request")
    request_id, name, args = message[:3]
    options = message[3] if len(message) > 3 else None
    if (
        type(request_id) is not int
        or not 0 < request_id <= _MAX_ID
        or type(name) is not bytes
        or type(args) is not list
        or (options is not None and type(options) is not dict)
    ):
        raise refusal(request_id)
    return request_id, name, args, options


def refusal(request_id: Any) -> ProtocolError:
    """Why a message is no request."""
    if type(request_id) is not int or not 0 < request_id <= _MAX_ID:
        return ProtocolError(f"a request whose id is not from 1 to {_MAX_ID:,}")
    return ProtocolError("a request is [id, name, arguments, options or nil, meta or nil]")


def positive_numbers(name: bytes, args: list[Any], options: dict[Any, Any] | None, count: int) -> list[int]:
    """The *count* positive numbers that *name* takes."""
    if len(args) != count or options or not all(type(word) is int and 0 < word <= _MAX_ID for word in args):
        raise InvalidArgument(f"{name.decode()} takes {count} positive numbers of 32 bits and no options")
    return args
