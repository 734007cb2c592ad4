"""From the body of a frame to the parts of a request. Bodies come from strangers: what they make us build is bounded.

An array is made at the length that its head claims before its elements are read, and an element of one byte becomes an
object of fifty. A short body cannot claim much. Of a long one the arguments are read one by one, against a budget.
"""

from collections.abc import Sized
from typing import Any, Final, TypeVar

from msgpack import Unpacker, unpackb

from kv_protocol.errors import ProtocolError, TooLarge

__all__ = ["LEAST_BATCH", "SHORT", "Overfull", "read_first", "read_long", "refusal"]

SHORT: Final = 4 * 1024  # bytes of a body that may be unpacked as it is
LEAST_BATCH: Final = SHORT  # so that a short body never holds more arguments than a call may have

_MAX_ID: Final = 2**32 - 1
_NARROW: Final = 64  # elements of an array or map inside an argument: blocks and options are short
_ARRAY_HEADS: Final = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))

S = TypeVar("S", bound=Sized)


class Overfull(TooLarge):
    """A request with more arguments than a call may have: answered under its id, the connection goes on."""

    def __init__(self, request_id: Any, limit: int) -> None:
        super().__init__(f"a call of more than {limit:,} arguments", {"limit": limit})
        if type(request_id) is not int or not 0 < request_id <= _MAX_ID:
            raise refusal(request_id)
        self.request_id = request_id


def read_long(body: bytes, max_batch: int) -> list[Any]:
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
    count = unpacker.read_array_header()
    if count > max_batch:
        raise Overfull(message[0], max_batch)
    arguments = []
    for _ in range(count):
        if body[tell()] not in _ARRAY_HEADS:
            arguments.append(unpack())
            continue
        inner = unpacker.read_array_header()  # names that were counted: as many as arguments
        spent += inner
        if spent > max_batch:
            raise Overfull(message[0], max_batch)
        arguments.append([unpack() for _ in range(inner)])
    message.append(arguments)
    message.extend([unpack() for _ in range(size - 3)])
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
