"""Answers kept for a repeat of the call."""

from __future__ import annotations

from typing import Any, Final

from msgpack import packb

from kv_protocol.limits import MAX_KEPT_ANSWER
from kv_server.engine.ground import Ground, effect
from kv_server.engine.rows import ANSWERED
from kv_server.engine.session import Lost

__all__ = ["AnswerEffects"]

_SMALL: Final = (int, bool, type(None), float)


class AnswerEffects(Ground):
    """What a session is owed."""

    @effect(ANSWERED)
    def answered(self, session_id: int, seq: int, reply: Any, lost: bool = False) -> None:
        """Keep *reply* as the answer of the session to its call *seq*, so that a repeat runs nothing.

        One that is too large is *lost*: only that there was one is kept.
        """
        if type(reply) in _SMALL:
            size = 9
        elif type(reply) is bytes:
            size = len(reply) + 5
        else:
            size = reply_size(reply)
        if size > MAX_KEPT_ANSWER:
            reply, size, lost = None, 9, True
        self.effects.append((ANSWERED, session_id, seq, reply, lost))
        session = self.sessions.get(session_id)
        if session is not None:
            session.keep(seq, Lost(self.revision) if lost else reply, size)


def reply_size(reply: Any) -> int:
    """What *reply* takes on the wire."""
    packed: bytes = packb(reply, unicode_errors="surrogateescape")
    return len(packed)
