"""One message and its frame: packed, and read as the server and as a client reads it."""

from struct import Struct
from struct import error as StructError
from typing import Any, Final

from msgpack import Packer, Unpacker, unpackb

from kv_protocol.errors import ProtocolError, TooLarge
from kv_protocol.limits import KIB
from kv_protocol.messages import DEADLINE, FENCE, NAMESPACE, SEEN, SEQ, TRACE

__all__ = ["pack", "pack_request", "reply_in", "unpack_reply", "unpack_request"]

_length_head = Struct(">I").pack

# An array's length is a claim, and a list of that length is made before its elements are read: nested claims would cost
# their product. Short bodies cannot claim much; longer ones are first walked over without making anything.
_HARMLESS: Final = 1 * KIB


def pack(message: list[Any] | tuple[Any, ...]) -> bytes:
    """Return *message* as one frame."""
    body: bytes = Packer(unicode_errors="strict").pack(message)
    try:
        return _length_head(len(body)) + body
    except StructError:
        raise TooLarge("a message beyond 4 GiB", {"limit": 2**32 - 1}) from None


def unpack_request(body: bytes) -> list[Any]:
    """Return the array in *body* as the server reads it: str and bin are both bytes.

    Raises `ProtocolError` for anything else.
    """
    try:
        if len(body) > _HARMLESS:
            _skip(body)
        message = unpackb(body, raw=True, strict_map_key=False, max_ext_len=0)
    except Exception as error:
        raise ProtocolError(f"a frame that holds no message: {type(error).__name__}") from None
    if type(message) is not list:
        raise ProtocolError("a frame that holds no array")
    return message


def unpack_reply(body: bytes) -> list[Any]:
    """Return the array in *body* as a client reads it: str as str, with what is no UTF-8 escaped; bin as bytes.

    Raises `ProtocolError` for anything else.
    """
    try:
        message = unpackb(body, raw=False, strict_map_key=False, unicode_errors="surrogateescape")
    except Exception as error:
        raise ProtocolError(f"a frame that holds no message: {type(error).__name__}") from None
    if type(message) is not list:
        raise ProtocolError("a frame that holds no array")
    return message


def pack_request(
    packer: Packer,
    number: int,
    word: str,
    args: tuple[object, ...],
    options: dict[str, object] | None,
    deadline: int | None,
    seq: int,
    seen: int | None,
    namespace: str | bytes | None,
    fence: tuple[str | bytes, int] | None,
    trace: str | None,
) -> bytes:
    """Return the frame of a request; a *seq* of 0 is none. Raises what msgpack raises."""
    meta: dict[int, object] = {}
    if deadline is not None:
        meta[DEADLINE] = deadline
    if seq:
        meta[SEQ] = seq
        if seen is not None:
            meta[SEEN] = seen
    if namespace is not None:
        meta[NAMESPACE] = namespace
    if fence is not None:
        meta[FENCE] = fence
    if trace is not None:
        meta[TRACE] = trace
    body: bytes = packer.pack((number, word, args, options, meta))
    return _length_head(len(body)) + body


def reply_in(body: bytes) -> tuple[int, int, Any] | ProtocolError:
    """Return id, status and body of the reply in *body*; what is wrong where it holds none."""
    try:
        number, status, result = unpack_reply(body)
    except ProtocolError as error:
        return error
    except ValueError:
        return ProtocolError("a frame that is no reply")
    return (
        (number, status, result) if type(number) is type(status) is int else ProtocolError("a frame that is no reply")
    )


def _skip(body: bytes) -> None:
    """Walk over *body* without making anything of it, so that a claim that is not kept costs nothing."""
    unpacker = Unpacker(max_buffer_size=len(body))
    unpacker.feed(body)
    unpacker.skip()
