"""The row of refusals that a call passes before it runs, in the order of `Executor.execute`."""

from __future__ import annotations

from typing import Any, Final

from kv_protocol.errors import AnswerLost, Busy, InvalidArgument, NotKept, ProtocolError, StaleFence
from kv_protocol.limits import MAX_ANSWER_BYTES, MAX_ANSWERS, MAX_NAME
from kv_protocol.names import text
from kv_server.engine.session import Lost, Session
from kv_server.model.lock import Lock
from kv_server.model.store import Store

__all__ = ["CLOSED", "FRESH", "check_fence", "check_namespace", "late", "repeated"]

CLOSED: Final = 0
FRESH: Final = object()


def repeated(session: Session, seq: Any, seen: Any) -> object:
    """The kept answer if *seq* was applied before, else FRESH. Forgets the answers below *seen*: they have arrived."""
    if seen is not None:
        if type(seen) is not int:
            raise ProtocolError("meta: seen is not an integer")
        if seen > session.seen:
            session.forget(seen)
    if seq is None:
        return FRESH
    if type(seq) is not int or seq < 1:
        raise ProtocolError("meta: seq is not a positive integer")
    answers = session.answers
    if seq in answers:
        reply = answers[seq][0]
        if type(reply) is Lost:
            if reply.doubtful:
                raise NotKept("applied before, but the disk failed: it may be gone after a restart")
            raise AnswerLost("applied before, but the answer was too large to be kept", {"revision": reply.revision})
        return reply
    if seq < session.seen:
        raise ProtocolError("meta: seq is below seen")
    if len(answers) >= MAX_ANSWERS or session.answer_bytes >= MAX_ANSWER_BYTES:
        raise Busy(
            "the session has as many unseen answers as are kept: send seen",
            {"limit": MAX_ANSWERS if len(answers) >= MAX_ANSWERS else MAX_ANSWER_BYTES},
        )
    return FRESH


def late(deadline: Any, elapsed_ms: int) -> bool:
    """Whether *deadline* has passed."""
    if type(deadline) is not int:
        raise ProtocolError("meta: deadline is not an integer")
    return elapsed_ms > deadline


def check_namespace(name: Any) -> bytes:
    if type(name) is not bytes or len(name) > MAX_NAME:
        raise InvalidArgument(f"meta: namespace is not a name of at most {MAX_NAME:,} bytes")
    return name


def check_fence(store: Store, elapsed_ms: int, namespace: bytes, fence: Any) -> None:
    """Refuse unless the lock of *fence* is held under its token now."""
    if type(fence) is not list or len(fence) != 2 or type(fence[0]) is not bytes or type(fence[1]) is not int:
        raise InvalidArgument("meta: fence is not [lock, token]")
    space = store.namespaces.get(namespace)
    held = (space.locks.get(fence[0]) if space is not None else None) or Lock()
    hold = held.get(fence[1])
    if hold is None or hold.until_ms <= elapsed_ms:
        tokens = [other.token for other in held.values() if other.until_ms > elapsed_ms]
        facts = {"lock": text(fence[0]), "token": max(tokens, default=None)}
        raise StaleFence("the lock is not held under this token: nothing was written", facts)
