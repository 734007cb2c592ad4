"""The server as a whole: its time, its figures, its commands."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from kv_protocol.names import text
from kv_server.engine.node import Node
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import Listener, Parked, Subscription
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, NATIVE_DOOR, READ, SPANS
from kv_server.spec.types import OPTIONAL, Text


class Times(NamedTuple):
    """The server's wall clock since 1970, and the monotonic clock that deadlines are told on, in milliseconds."""

    now: int
    clock: int


@command(READ | FAST, group="server", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def time(tx: Tx, /) -> Times:
    """Return the server's wall clock and its monotonic clock."""
    return Times(tx.now_ms, tx.elapsed_ms)


@command(READ | SPANS, group="server", since="0.1", cost="O(namespaces)", doors=NATIVE_DOOR)
def info(node: Node, /, *sections: Annotated[Text, OPTIONAL]) -> dict[str, dict[str, Any]]:
    """Return figures about the server by section; all sections, or those named."""
    facts = figures(node)
    wanted = {name.lower() for name in sections}
    return {name: facts[name] for name in facts if not wanted or name in wanted}


def figures(node: Node) -> dict[str, dict[str, Any]]:
    """What there is to say of a server, by section: the same on both doors."""
    engine, observation = node.engine, node.engine.observation
    observation.settle()
    spaces = engine.store.namespaces
    calls = [call for session in engine.sessions.values() for call in session.waiting.values()]
    facts: dict[str, dict[str, Any]] = {
        "engine": {"shards": engine.store.shards, "epoch": engine.epoch, **engine.statistics()},
        "clock": {"now_ms": engine.now_ms, "uptime_ms": engine.elapsed_ms - engine.started_ms},
        "locks": {
            "held": sum(len(held) for space in spaces.values() for held in space.locks.values()),
            "waiting": sum(isinstance(call, Parked) and call.command.group == "lock" for call in calls),
            "granted": engine.tx.locks_granted,
            "lost": engine.tx.locks_lost,
        },
        "watches": {
            "keys": sum(isinstance(call, Subscription) for call in calls),
            "channels": sum(isinstance(call, Listener) for call in calls),
            "monitors": len(observation.monitors),
        },
        "history": {
            "most": engine.history.most,
            "runs": len(engine.history.runs),
            "changes": len(engine.history.kept),
            "since_ms": engine.history.whole_since(),
        },
        "errors": dict(sorted(observation.codes.items())),
        "keyspace": {
            text(name).encode("utf-8", "backslashreplace").decode(): {
                "keys": space.keys,
                "expiring": sum(table.expiring for table in space.live_tables()),
                "bytes": space.bytes,
                "locks": len(space.locks),
            }
            for name, space in sorted(spaces.items())
        },
    }
    for section, more in node.facts().items():
        facts.setdefault(section, {}).update(more)
    return facts


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
