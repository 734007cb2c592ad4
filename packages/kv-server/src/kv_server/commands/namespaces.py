"""Namespaces: what there is, what it holds, and taking it away whole."""

from __future__ import annotations

from kv_protocol.names import text
from kv_protocol.types import NamespaceInfo
from kv_server.commands.resp_views import AS_OK, ASYNC_OR_SYNC
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, READ, SPANS, SWEEPS, WRITE
from kv_server.spec.types import Namespace


@command(READ | SPANS, group="namespace", since="0.1", cost="O(namespaces)", name="NAMESPACE LIST", method="namespaces")
def namespace_list(tx: Tx, /) -> list[str]:
    """Return the names of all namespaces that were ever written to and not dropped."""
    return sorted(map(text, tx.store.namespaces))


@command(
    READ | SWEEPS, group="namespace", since="0.1", cost="O(shards)", name="NAMESPACE STATS", method="namespace_stats"
)
def namespace_stats(tx: Tx, namespace: Namespace, /) -> NamespaceInfo | None:
    """Return what *namespace* holds and may hold; nothing if there is none of that name. `bytes` is an estimate.

    A limit of 0 is none.
    """
    space = tx.store.namespaces.get(namespace)
    if space is None:
        return None
    terms = space.terms
    return NamespaceInfo(
        text(namespace),
        space.keys,
        sum(table.expiring for table in space.live_tables()),
        len(space.locks),
        space.bytes,
        terms.policy,
        space.evicted,
        terms.bytes,
        terms.keys,
        terms.connections,
        terms.ops,
    )


@command(
    WRITE | ADMIN, group="namespace", since="0.1", cost="O(shards + locks); the freeing follows in slices",
    name="NAMESPACE DROP", method="drop_namespace",
)  # fmt: skip
def namespace_drop(tx: Tx, namespace: Namespace, /) -> bool:
    """Drop *namespace* with its keys and its locks, whose holders are told; False if there is none of that name."""
    if namespace not in tx.store.namespaces:
        return False
    tx.namespace_drop(namespace)
    return True


@command(
    WRITE | ADMIN | SWEEPS,
    group="namespace",
    since="0.1",
    cost="O(shards); the freeing follows in slices",
    name="FLUSHDB",
    method="flush",
    views=(AS_OK, *ASYNC_OR_SYNC),
)
def flushdb(tx: Tx, /) -> int:
    """Delete every key of the namespace and return how many there were; its locks stay."""
    keys = tx.count()
    if keys:
        tx.namespace_flush(tx.name)
    return keys
