"""Sessions, and the answers kept in them for a repeat of the call."""

from __future__ import annotations

from typing import Any, Final

from msgpack import packb

from kv_protocol.limits import MAX_KEPT_ANSWER
from kv_server.engine.effects.locks import LockEffects
from kv_server.engine.rows import ANSWERED, SESSION_END, SESSION_OPEN
from kv_server.engine.session import EVERYBODY, Lost, Session

__all__ = ["AnswerEffects"]

_SMALL: Final = (int, bool, type(None), float)


class AnswerEffects(LockEffects):
    """Who calls, and what it is owed."""

    def session_open(
        self, session_id: int, secret: bytes, client: str, namespace: bytes, user: str = EVERYBODY.user
    ) -> None:
        """Begin a session that *user* can resume with *secret*."""
        self.effects.append((SESSION_OPEN, session_id, secret, client, namespace, user))
        session = Session(session_id, secret, client, namespace, user)
        session.login = None
        self.sessions[session_id] = session
        self.secrets[secret] = session

    def session_end(self, session_id: int) -> None:
        """Forget a session and what it was owed."""
        self.effects.append((SESSION_END, session_id))
        del self.secrets[self.sessions.pop(session_id).secret]

    def answered(self, session_id: int, seq: int, reply: Any, lost: bool = False, seen: int | None = None) -> None:
        """Keep *reply* as the answer of the session to its call *seq*, so that a repeat runs nothing.

        One that is too large is *lost*: only that there was one is kept. The answers below *seen* have arrived.
        """
        if type(reply) in _SMALL:
            size = 9
        elif type(reply) is bytes:
            size = len(reply) + 5
        else:
            size = reply_size(reply)
        if size > MAX_KEPT_ANSWER:
            reply, size, lost = None, 9, True
        session = self.sessions.get(session_id)
        if session is None:
            self.effects.append((ANSWERED, session_id, seq, reply, lost, seen))
            return
        if seen is None:
            seen = session.seen
        elif seen > session.seen:
            session.forget(seen)
        self.effects.append((ANSWERED, session_id, seq, reply, lost, seen))
        session.keep(seq, Lost(self.revision) if lost else reply, size)


def reply_size(reply: Any) -> int:
    """What *reply* takes on the wire."""
    packed: bytes = packb(reply, unicode_errors="surrogateescape")
    return len(packed)
