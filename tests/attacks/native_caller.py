"""A caller of the native door that says exactly what a test tells it to."""

from __future__ import annotations

import socket
from typing import Any

from kv_protocol.frames import FrameReader, pack, unpack_reply

PATIENCE_S = 20.0


class Ended(AssertionError):
    """The server ended the connection instead of answering."""


class Caller:
    """A blocking native connection to 127.0.0.1:*port*; every frame that comes is `[id, status, body]`."""

    def __init__(self, port: int, **hello: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._reader = FrameReader(1 << 30)
        self._frames: list[list[Any]] = []
        self._last = 1
        self.send(1, "HELLO", [1], hello)
        self.welcome = self.read()

    def send(self, *request: Any) -> None:
        self.socket.sendall(pack(request))

    def read(self) -> list[Any]:
        """The next frame, waited for. Raises `Ended`."""
        while not self._frames:
            data = self.socket.recv(65536)
            if not data:
                raise Ended
            self._frames += map(unpack_reply, self._reader.feed(data))
        return self._frames.pop(0)

    def call(self, name: str, args: list[Any] | None = None, options: Any = None, meta: Any = None) -> Any:
        """What a call is answered with: its reply, or the code of its error."""
        self._last += 1
        self.send(self._last, name, args or [], options, meta)
        while True:
            request_id, status, body = self.read()
            if request_id == self._last:
                return body[0] if status == 2 else body

    def close(self) -> None:
        self.socket.close()
