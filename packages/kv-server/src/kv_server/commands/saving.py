"""Snapshots on demand: the whole store written to the data folder, in kv's words and in those of Redis."""

from __future__ import annotations

from typing import Annotated

from kv_protocol.errors import InvalidArgument
from kv_server.engine.engine import PARKED, Caller
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, ALONE, BLOCKS, FAST, NATIVE_DOOR, READ, RESP_DOOR
from kv_server.spec.resp_kinds import OK, Simple
from kv_server.spec.types import Token

__all__ = ["saved_ms"]


@command(
    READ | BLOCKS | ADMIN, group="server", since="0.1", cost="O(keys), in slices between other calls", doors=NATIVE_DOOR
)
def snapshot(session: Caller, /) -> int:
    """Write the whole store to the data folder and return the revision of the snapshot, once it is on disk.

    It holds all that was applied when the call came, and perhaps more. Fails if the server has no data folder.
    """
    saver = session.engine.node.saver()
    saver.ask(session.expect(lambda revision: revision))
    return PARKED  # type: ignore[return-value]


@command(
    READ | BLOCKS | ADMIN | ALONE,
    group="server",
    since="0.1",
    cost="O(keys), in slices between other calls",
    doors=RESP_DOOR,
    method=None,
)
def save(session: Caller, /) -> Simple:
    """Write the whole store to the data folder and answer once it is on disk. Others are served meanwhile."""
    saver = session.engine.node.saver()
    if saver.saving:
        raise under_way()
    saver.ask(session.expect(lambda revision: OK))
    return PARKED  # type: ignore[return-value]


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def bgsave(node: Node, /, *, schedule: Annotated[bool, Token("SCHEDULE")] = False) -> Simple:
    """Begin to write the whole store to the data folder. While that is done already: with *schedule* once more."""
    saver = node.saver()
    if saver.saving and not schedule:
        raise under_way()
    later = saver.saving
    saver.ask()
    return Simple(b"Background saving scheduled" if later else b"Background saving started")


@command(READ | FAST | ADMIN, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def lastsave(node: Node, /) -> int:
    """Return when the last snapshot was complete, in seconds since 1970; the start of the server if there was none."""
    return saved_ms(node) // 1000


def saved_ms(node: Node) -> int:
    engine = node.engine
    saved = node.facts().get("persistence", {}).get("snapshot_unix_ms", 0)
    return int(saved) or engine.now_ms - engine.elapsed_ms + engine.started_ms


def under_way() -> InvalidArgument:
    return InvalidArgument("Background save already in progress")
