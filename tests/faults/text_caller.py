"""One connection of a client of Redis, in the hands of a test that decides how it ends."""

from __future__ import annotations

import socket
import struct

import trio


def packed(*words: str) -> bytes:
    """A call as clients write it."""
    octets = [word.encode() for word in words]
    return b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in octets)


class TextCaller:
    """Sends calls, and hears replies until somebody ends it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._held = b""

    @classmethod
    async def dial(cls, port: int) -> TextCaller:
        return cls(await trio.open_tcp_stream("127.0.0.1", port))

    async def send(self, *words: str) -> None:
        await self.stream.send_all(packed(*words))

    async def ask(self, *words: str) -> object:
        await self.send(*words)
        return await self.hear()

    async def hear(self) -> object:
        """The next reply; raises `EOFError` if none comes any more."""
        line = await self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else (await self._exactly(size + 2))[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [await self.hear() for _ in range(int(rest))]
        return int(rest) if kind == b":" else line.decode()

    async def _line(self) -> bytes:
        while b"\r\n" not in self._held:
            await self._more()
        line, _, self._held = self._held.partition(b"\r\n")
        return line

    async def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            await self._more()
        octets, self._held = self._held[:size], self._held[size:]
        return octets

    async def _more(self) -> None:
        try:
            data = await self.stream.receive_some(65_536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            raise EOFError
        self._held += data

    async def hang_up(self) -> None:
        """Send nothing more; what the server has said already can still be heard."""
        await self.stream.send_eof()

    def reset(self) -> None:
        """End as a crash does: at once, and with whatever is on its way."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()
