"""What a client hears that speaks a protocol of no door: one line."""

from collections.abc import Callable
from typing import Final

from kv_protocol.errors import KvError
from kv_server.surfaces.surface import Surface

__all__ = ["Stranger"]

_TLS_HANDSHAKE: Final = 0x16


class Stranger(Surface):
    """A connection that no door of this server is for: it is told so and ended."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        super().__init__()
        self._out = b""

    def receive_data(self, data: bytes) -> None:
        """Answer the first bytes; the rest is of no interest."""
        if self.closing:
            return
        self.closing = True
        if data[0] == _TLS_HANDSHAKE:
            self._say("this bind has no TLS")
        else:
            self._say("this port speaks RESP and kv's native protocol, see protocol.md")

    def refuse(self, error: KvError) -> None:
        self.closing = True
        self._say(str(error))

    def data_to_send(self) -> bytes:
        data, self._out, self.held = self._out, b"", 0
        return data

    def resume(self) -> None:
        """Nothing of a stranger's is ever put off."""

    def retract(self, taken: bytes, refusal: Callable[[], KvError]) -> bool:
        """It was told nothing that could be taken back."""
        return True

    def go_away(self, error: KvError) -> None:
        self.closing = True

    def leave(self) -> None:
        self.closing = True

    def _say(self, text: str) -> None:
        self._out = b"-ERR %s\r\n" % text.encode()
        self.held = len(self._out)
