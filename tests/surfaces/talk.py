"""A RESP connection in a test's hands, the real commands behind it, and a clock that only the test moves."""

from __future__ import annotations

from kv_server.surfaces.hello import Limits
from kv_server.surfaces.resp import RespConnection
from kv_server.surfaces.resp_door import RespDoor
from tests.engine.rig import Rig

LIMITS = Limits(frame=1 << 20, batch=4096, parked=10, output=1 << 20)


def packed(*words: bytes | str) -> bytes:
    """A call as clients write it."""
    octets = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in octets)


class Talk:
    """One connection, and whoever else the test connects to the same door."""

    def __init__(self, other: Talk | None = None, *, limits: Limits = LIMITS) -> None:
        self.rig: Rig = Rig() if other is None else other.rig
        self.now = 0.0
        self.woken = 0
        self.door: RespDoor = RespDoor(self.rig.engine, limits, lambda: self.now) if other is None else other.door
        self.connection: RespConnection = self.door.connect(self._wake, lambda: False)

    def _wake(self) -> None:
        self.woken += 1

    def another(self) -> Talk:
        return Talk(self)

    def send(self, data: bytes) -> bytes:
        """What is answered to *data* at once, and to what was held up until now."""
        if data:
            self.connection.receive_data(data)
        return self.take()

    def call(self, *words: bytes | str) -> bytes:
        return self.send(packed(*words))

    def line(self, text: str) -> bytes:
        return self.call(*text.split())

    def take(self) -> bytes:
        said = b""
        while self.connection.stalled:
            said += self.connection.data_to_send()
            self.connection.resume()
        while data := self.connection.data_to_send():
            said += data
        return said

    def advance(self, ms: int) -> None:
        self.rig.settle(ms)
