"""One connection as the loop sees it: what each surface says of itself, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kv_protocol.errors import KvError
from kv_protocol.limits import MIB
from kv_server.engine.session import Session

__all__ = ["HIGH_WATER", "SLICE_S", "Surface"]

HIGH_WATER: Final = 1 * MIB  # unsent bytes beyond which the calls of a connection wait for its reader
SLICE_S: Final = 0.002  # how long the calls of one connection run before others have their turn


class Surface:
    """One connection's protocol, sans-IO."""

    __slots__ = ("address", "calls", "certified", "closing", "held", "overflowed", "session", "stalled")

    def __init__(self) -> None:
        self.session: Session | None = None
        """Who it is; None before it has said."""
        self.address = ""
        """Where its peer is."""
        self.certified: str | None = None
        """Whom the certificate of its peer names."""
        self.calls = 0
        self.held = 0
        """Bytes of output that were not taken yet."""
        self.stalled = False
        """Input waits inside for `resume`."""
        self.closing = False
        """It will take no more input; it is to be closed when its output has left."""
        self.overflowed = False
        """Its reader was owed too much."""

    @property
    def halfway(self) -> bool:
        """Something has begun to arrive and its rest has not come."""
        return False

    def receive_data(self, data: bytes) -> None:
        """Take *data*, which is never empty."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on with what waits inside."""
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """Take output: some of it, or none."""
        raise NotImplementedError

    def retract(self, taken: bytes, refusal: Callable[[], KvError]) -> bool:
        """Answers that were *taken*, or could be, must not be given: put errors in their place. False if it cannot."""
        raise NotImplementedError

    def go_away(self, error: KvError) -> None:
        """Say that the server will end the connection soon."""
        raise NotImplementedError

    def refuse(self, error: KvError) -> None:
        """Say why the connection ends, and end it."""
        raise NotImplementedError

    def leave(self) -> None:
        """The connection is over as far as the engine is concerned."""
        raise NotImplementedError
