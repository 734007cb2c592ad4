"""The server as a whole: its time, its figures, its commands."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from kv_server.engine.node import Node
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, NATIVE_DOOR, READ
from kv_server.spec.types import OPTIONAL, Text


class Times(NamedTuple):
    """The server's wall clock since 1970, and the monotonic clock that deadlines are told on, in milliseconds."""

    now: int
    clock: int


@command(READ | FAST, group="server", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def time(tx: Tx, /) -> Times:
    """Return the server's wall clock and its monotonic clock."""
    return Times(tx.now_ms, tx.elapsed_ms)


@command(READ, group="server", since="0.1", cost="O(namespaces)", doors=NATIVE_DOOR)
def info(node: Node, /, *sections: Annotated[Text, OPTIONAL]) -> dict[str, dict[str, Any]]:
    """Return figures about the server by section; all sections, or those named."""
    engine = node.engine
    figures = engine.statistics()
    facts: dict[str, dict[str, Any]] = {
        "engine": {"shards": engine.store.shards, "epoch": engine.epoch, **figures},
        "clock": {"now_ms": engine.now_ms, "uptime_ms": engine.elapsed_ms - engine.started_ms},
    }
    for section, more in node.facts().items():
        facts.setdefault(section, {}).update(more)
    wanted = {name.lower() for name in sections}
    return {name: facts[name] for name in facts if not wanted or name in wanted}


@command(
    READ, group="server", since="0.1", cost="O(commands)", name="COMMAND DOCS", method="command_docs", doors=NATIVE_DOOR
)
def command_docs(node: Node, /, *names: Annotated[Text, OPTIONAL]) -> dict[str, dict[str, Any]]:
    """Return what there is to know about all commands, or those named: usage, text, cost, categories, first version."""
    catalog = node.engine.catalog
    wanted = {name.upper() for name in names}
    return {
        entry.name: {
            "summary": entry.doc.split("\n\n")[0],
            "usage": entry.usage,
            "group": entry.group,
            "since": entry.declaration.since,
            "complexity": entry.declaration.cost,
            "categories": sorted(entry.acl),
        }
        for entry in catalog
        if not wanted or entry.name in wanted
    }
