"""Several calls as one: queued and run in order on the text door, all or none of them on the native one."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from kv_protocol.errors import InvalidArgument, TransactionConflict, UnknownCommand
from kv_protocol.names import text, wire
from kv_server.commands.locks import NamedLease
from kv_server.engine.conversation import Transaction
from kv_server.engine.engine import Caller
from kv_server.engine.gates import check_fence
from kv_server.spec.catalog import command
from kv_server.spec.checks import words_missing
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, STEERS, WRITE
from kv_server.spec.resp_kinds import NIL_ARRAY, OK, RespError, Simple
from kv_server.spec.types import NATIVE, OPTIONAL, InnerCall, Octets, SourceKey, Version


class Requirement(NamedTuple):
    """A key and the version it must have; 0: it must be absent."""

    key: SourceKey
    version: Version


@command(WRITE | GROWS, group="transaction", since="0.1", cost="that of the commands", doors=NATIVE_DOOR, method=None)
def atomic(
    session: Caller,
    /,
    *calls: Annotated[InnerCall, OPTIONAL],
    require: Annotated[tuple[Requirement, ...], NATIVE] = (),
    locks: Annotated[tuple[NamedLease, ...], NATIVE] = (),
) -> list[Any]:
    """Run *calls* as one, at one revision, and return their replies; if one fails, so does this call, and none was run.

    Nothing is run either unless each key of *require* has the version that is given for it and each of *locks* is held
    under its token. A call that would wait fails at once.
    """
    engine, tx = session.engine, session.engine.tx
    for lock, token in locks:
        check_fence(engine.store, engine.elapsed_ms, tx.name, [lock, token])
    found = [(key, version, tx.find(key)) for key, version in require]
    others = [
        (wire(text(key)), 0 if entry is None else entry.version)
        for key, version, entry in found
        if version != (0 if entry is None else entry.version)
    ]
    if others:
        raise TransactionConflict("keys have other versions than the transaction requires", {"keys": others})
    asked = []
    for at, (word, args, options) in enumerate(calls):
        inner = engine.catalog.commands.get(word)
        if inner is None:
            raise UnknownCommand(f"no command of the name that call {at} has", {"call": at})
        asked.append((inner, args, options))
    replies = engine.all_or_none(session.session, asked)
    return [
        reply if inner.present is None or reply is None else inner.present(reply)
        for (inner, _, _), reply in zip(asked, replies, strict=True)
    ]


@command(READ | FAST | STEERS, group="transaction", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def multi(session: Caller, /) -> Simple:
    """Queue all commands that follow, up to `EXEC`."""
    transaction = own(session)
    if transaction.queueing:
        raise InvalidArgument("MULTI calls can not be nested")
    transaction.queueing = True
    session.regate()
    return OK


@command(
    WRITE | SLOW | STEERS, group="transaction", since="0.1", cost="that of the commands", doors=RESP_DOOR, method=None
)
def exec_(session: Caller, /, *words: Annotated[Octets, OPTIONAL]) -> object:
    """Run all queued commands without any other in between, and return their replies.

    Nothing if a watched key has changed. A command that fails leaves the others as they are: its error is its reply.
    """
    if words:
        end(session)
        raise RespError(f"EXECABORT Transaction discarded because of: {words_missing('exec').message}")
    transaction = queueing(session, "EXEC")
    holds = session.engine.watched.holds(transaction)
    end(session)
    if transaction.spoiled:
        raise RespError("EXECABORT Transaction discarded because of previous errors.")
    return session.engine.run_queued(session.session, session.request_id, transaction.calls) if holds else NIL_ARRAY


@command(READ | FAST | STEERS, group="transaction", since="0.1", cost="O(queued)", doors=RESP_DOOR, method=None)
def discard(session: Caller, /) -> Simple:
    """Forget all queued commands and watched keys."""
    queueing(session, "DISCARD")
    end(session)
    return OK


@command(
    READ | FAST | STEERS, group="transaction", since="0.1", cost="O(keys)", name="WATCH", doors=RESP_DOOR, method=None
)
def watch_on_resp(session: Caller, /, *keys: SourceKey) -> Simple:
    """Let the next `EXEC` run nothing if one of *keys* was touched before: changed, expired, given another expiry."""
    transaction = own(session)
    if transaction.queueing:
        raise InvalidArgument("WATCH inside MULTI is not allowed")
    engine = session.engine
    engine.watched.watch(transaction, engine.tx.name, keys)
    return OK


@command(READ | FAST, group="transaction", since="0.1", cost="O(keys)", doors=RESP_DOOR, method=None)
def unwatch(session: Caller, /) -> Simple:
    """Forget all watched keys."""
    transaction = session.session.transaction
    if transaction is not None:
        session.engine.watched.forget(transaction)
    return OK


def own(session: Caller) -> Transaction:
    """The transaction of this connection, begun if there is none."""
    caller = session.session
    if caller.transaction is None:
        caller.transaction = Transaction()
    return caller.transaction


def queueing(session: Caller, word: str) -> Transaction:
    transaction = session.session.transaction
    if transaction is None or not transaction.queueing:
        raise InvalidArgument(f"{word} without MULTI")
    return transaction


def end(session: Caller) -> None:
    """Let this connection watch and queue nothing any more."""
    session.engine.end_transaction(session.session)
    session.regate()
