"""WHY: what last happened to a key, and who did it, as far as the server remembers."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from kv_protocol.names import text
from kv_server.engine.engine import Caller, Engine
from kv_server.engine.history import Change, Who
from kv_server.engine.observation import who_is
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, READ, SLOW, View
from kv_server.spec.types import Count, SourceKey, Time, Token, Version


class KeyChange(NamedTuple):
    """One thing that happened to a key.

    `what` is `changed`, `expiry`, `deleted`, `emptied`, `expired`, `evicted`, `flushed`, `dropped`, `swapped`,
    `renamed to` (or `from`), `moved to`, `copied from`, or why a lease ended: `lease released`, `expired`, `broken`.
    `other` is the other key, lock or namespace that had a part in it; `command` is nothing where nobody called.
    """

    what: str
    time: Time
    revision: Version
    command: str | None
    session: int | None
    client: str
    address: str
    user: str
    namespace: str
    other: str | None
    trace: str | None


class Why(NamedTuple):
    """What the server remembers of a key, the latest change first; `since` when it has forgotten nothing.

    `version` is 0 if there is no such key. `note` says what is not known.
    """

    version: Version
    changes: list[KeyChange]
    since: Time
    note: str


def by_name(why: Why) -> dict[str, Any]:
    """The same, each figure under its name."""
    changes = [
        {name: fact for name, fact in change._asdict().items() if fact not in (None, "")} for change in why.changes
    ]
    return {**why._asdict(), "changes": changes}


@command(
    READ | ADMIN | SLOW, group="server", since="0.1", cost="O(remembered changes)", views=(View("by_name", by_name),)
)
def why(session: Caller, key: SourceKey, /, *, count: Annotated[Count, Token("COUNT")] = 10) -> Why:
    """Return what last changed *key*, or took it away: when, by which command, and who called it.

    Of a key that is there its last change is known, and what it went through before: that it was deleted, expired,
    renamed. Values are not remembered, and nothing is over a restart; `--history` says how much is.

    >>> version = await client.set("cart", ["tea"])
    >>> found = await client.why("cart")
    >>> found.changes[0].what, found.changes[0].command, found.version == version
    ('changed', 'SET', True)
    """
    engine, tx = session.engine, session.engine.tx
    history = engine.history
    engine.observation.settle()
    entry = tx.find(key)
    version = entry.version if entry is not None else 0
    found = tx.slowly(lambda: history.about(tx.name, key, count))
    known = {change.revision for change in found}
    changes = [described(engine, change) for change in found]
    for revision, space in [(version, tx.name), *((change.version, change.namespace) for change in found)]:
        if revision and revision not in known and (run := history.run_of(revision)) is not None:
            known.add(revision)
            changes.append(_told(engine, "changed", run.now_ms, revision, run.command, run.session, space, None))
    changes.sort(key=lambda change: -change.revision)
    return Why(version, changes[:count], max(history.whole_since(), 1), note_about(engine, version, known))


def note_about(engine: Engine, version: int, known: set[int]) -> str:
    """What an honest answer must add."""
    if not engine.history.on:
        return "nothing is recorded: the server runs with --history 0"
    if version and version not in known:
        return f"its last change, at revision {version}, is not recorded: it was before, or is forgotten"
    return "" if known else "nothing is recorded of this key"


def described(engine: Engine, change: Change) -> KeyChange:
    """A change that was remembered by itself."""
    other = None
    if change.other is not None:
        space, name = (text(word) for word in change.other)
        other = space if not name else name if change.other[0] == change.namespace else f"{name} in {space}"
    return _told(
        engine, change.what, change.now_ms, change.revision, change.command, change.session, change.namespace, other
    )


def _told(
    engine: Engine, what: str, now_ms: int, revision: int, command: str | None, session: int | None, namespace: bytes,
    other: str | None,
) -> KeyChange:  # fmt: skip
    who = Who()
    if session is not None:
        caller = engine.sessions.get(session)
        who = who_is(caller) if caller is not None and caller.outbox is not None else engine.history.parted(session)
    return KeyChange(
        what, now_ms, revision, command, session, *who, text(namespace), other, engine.history.trace_of(revision)
    )
