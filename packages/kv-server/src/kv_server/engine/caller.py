"""What a command about its own session gets in the place of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kv_server.engine.session import Session
from kv_server.engine.watchers import Subscription

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Caller"]


class Caller:
    """The session, the engine, and the id under which the call may go on replying."""

    __slots__ = ("engine", "request_id", "session")

    def __init__(self, engine: Engine, session: Session, request_id: int) -> None:
        self.engine = engine
        self.session = session
        self.request_id = request_id

    def subscribe(self, keys: tuple[bytes, ...], prefix: bytes | None, credit: int, values: bool) -> Subscription:
        """Open a subscription under the id of this call."""
        watch = Subscription(self.session, self.request_id, self.engine.tx.name, keys, prefix, credit, values)
        self.session.waiting[self.request_id] = watch
        self.engine.watchers.subscribe(watch)
        return watch
