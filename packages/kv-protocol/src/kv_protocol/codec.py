"""What a client sends and gets: requests into frames, bytes into replies. Few calls that do much, one for many replies.

Where it was compiled, this module's twin does the same natively.
"""

from functools import partial
from typing import Any

from msgpack import Packer

from kv_protocol.errors import ProtocolError
from kv_protocol.frames import FrameReader
from kv_protocol.packing import pack_request, reply_in

__all__ = ["ReplyReader", "RequestPacker"]


class RequestPacker:
    """Makes frames of requests."""

    __slots__ = ("pack",)

    def __init__(self) -> None:
        self.pack = partial(pack_request, Packer(autoreset=True))


class ReplyReader(FrameReader):
    """A reader of frames that are replies."""

    __slots__ = ()

    def replies(self, data: bytes) -> list[Any]:
        """Take *data* and return what is now complete: id, status and body of a reply, those of the next, and so on.

        It ends before the first frame that is no reply: `failure` tells of that.
        """
        found: list[Any] = []
        for body in self.feed(data):
            reply = reply_in(body)
            if isinstance(reply, ProtocolError):
                self.failure = reply
                break
            found += reply
        return found
