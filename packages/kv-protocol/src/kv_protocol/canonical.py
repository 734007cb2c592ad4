"""The canonical form: a Python value to its blob and back, and the test that a blob is one."""

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter

from msgpack import unpackb

from kv_protocol.blobs import str_blob
from kv_protocol.form import Value, check, decimal_text, decode, encode

__all__ = ["Value", "check", "check_all", "decimal_text", "decode", "encode"]


def check_all(blobs: Sequence[bytes]) -> None:
    """The same of many. Runs of strs, which most are, are looked at together."""
    for at in range(0, len(blobs), _RUN):
        some = blobs[at : at + _RUN]
        if not _are_strs(some):
            for blob in some:
                check(blob)


def _are_strs(blobs: Sequence[bytes]) -> bool:
    """Whether all are strs, none of them long; that they are is not always seen."""
    try:
        heads, sizes = bytes(map(_first, blobs)), bytes(map(len, blobs))
    except (IndexError, ValueError):
        return False
    longer = list(compress(blobs, sizes.translate(_IS_LONGER)))
    if heads != sizes.translate(_STR_HEAD) or bytes(map(_second, longer)) != bytes(map(len, longer)).translate(
        _STR_SIZE
    ):
        return False
    octets = b"".join(blobs)
    if octets.translate(None, _ASCII) == heads:
        return True
    try:
        unpackb(b"\xdd" + len(blobs).to_bytes(4, "big") + octets, raw=False)
    except UnicodeDecodeError:
        return False
    return True


_RUN = 1_000
_first, _second = itemgetter(0), itemgetter(1)
_ASCII = bytes(range(128))
_STR_HEAD = bytes((*(str_blob(bytes(size - 1))[0] if size else 0xC1 for size in range(33)), 0xC1, *b"\xd9" * 222))
"""The first byte of a str by the size of its blob, where there is one; the second where there are two."""
_STR_SIZE = bytes(max(size - 2, 0) for size in range(256))
_IS_LONGER = bytes(size > 33 for size in range(256))
