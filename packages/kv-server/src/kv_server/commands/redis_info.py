"""INFO as Redis writes it: text in sections, with kv's own figures at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from kv_protocol.names import text
from kv_server.commands.redis_session import REDIS_VERSION
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.command import READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import Verbatim
from kv_server.spec.types import OPTIONAL, Octets

Facts: TypeAlias = dict[str, Any]
_EVERYTHING: Final = frozenset(("all", "everything", "default"))


@command(
    READ | SLOW, group="server", since="0.1", cost="O(namespaces * shards)", name="INFO", doors=RESP_DOOR, method=None
)
def info_on_resp(node: Node, /, *sections: Annotated[Octets, OPTIONAL]) -> Verbatim:
    """Return figures about the server as text; all sections, or those named."""
    wanted = {section.decode("utf-8", "replace").lower() for section in sections}
    everything = not wanted or wanted & _EVERYTHING
    shown = [(title, of(node)) for title, of in SECTIONS.items() if everything or title.lower() in wanted]
    return Verbatim("\r\n".join(f"# {title}\r\n" + "".join(map(line, facts.items())) for title, facts in shown))


def line(fact: tuple[str, Any]) -> str:
    return f"{fact[0]}:{fact[1]}\r\n"


def server(node: Node) -> Facts:
    ours, engine = node.facts().get("server", {}), node.engine
    uptime = (engine.elapsed_ms - engine.started_ms) // 1000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": f"{engine.epoch:016x}",
        "redis_mode": "standalone",
        "os": ours.get("platform", ""),
        "arch_bits": 64,
        "monotonic_clock": "CLOCK_BOOTTIME",
        "multiplexing_api": "epoll",
        "process_id": ours.get("process", 0),
        "run_id": f"{engine.epoch:040x}",
        "tcp_port": ours.get("port", 0),
        "server_time_usec": engine.now_ms * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86_400,
        "hz": 10,
        "configured_hz": 10,
        "executable": ours.get("name", "kv-server"),
        "config_file": "",
        "kv_version": ours.get("version", ""),
        "kv_build": ours.get("build", ""),
    }


def clients(node: Node) -> Facts:
    ours = node.facts().get("clients", {})
    sessions = node.engine.sessions.values()
    return {
        "connected_clients": ours.get("connections", 0),
        "cluster_connections": 0,
        "maxclients": ours.get("connections_limit", 0),
        "client_recent_max_input_buffer": 0,
        "client_recent_max_output_buffer": 0,
        "blocked_clients": sum(1 for session in sessions if session.waiting),
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    }


def memory(node: Node) -> Facts:
    used = sum(table.bytes for space in node.engine.store.namespaces.values() for table in space.live_tables())
    return {
        "used_memory": used,
        "used_memory_human": f"{used / 1024:.2f}K",
        "used_memory_dataset": used,
        "maxmemory": 0,
        "maxmemory_human": "0B",
        "maxmemory_policy": "noeviction",
        "mem_fragmentation_ratio": 1.0,
        "mem_allocator": "python",
        "lazyfree_pending_objects": sum(map(len, node.engine.store.garbage)),
    }


def persistence(node: Node) -> Facts:
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": 0,
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_last_write_status": "ok",
    }


def stats(node: Node) -> Facts:
    ours, engine = node.facts().get("clients", {}), node.engine
    figures = engine.statistics()
    return {
        "total_connections_received": ours.get("accepted", 0),
        "total_commands_processed": figures["calls"],
        "instantaneous_ops_per_sec": 0,
        "total_net_input_bytes": ours.get("bytes_received", 0),
        "total_net_output_bytes": ours.get("bytes_sent", 0),
        "rejected_connections": ours.get("refused", 0),
        "expired_keys": figures["expired_keys"],
        "evicted_keys": 0,
        "total_error_replies": 0,
        "unexpected_error_replies": ours.get("internal_errors", 0),
        "pubsub_channels": 0,
        "pubsub_patterns": 0,
        "latest_fork_usec": 0,
        "total_forks": 0,
    }


def replication(node: Node) -> Facts:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": f"{node.engine.epoch:040x}",
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
    }


def cluster(node: Node) -> Facts:
    return {"cluster_enabled": 0}


def keyspace(node: Node) -> Facts:
    facts = {}
    for name, space in sorted(node.engine.store.namespaces.items()):
        tables = list(space.live_tables())
        keys = sum(map(len, tables))
        if keys:
            called = f"db{name.decode()}" if name.isdigit() else text(name).encode("utf-8", "replace").decode()
            facts[called] = f"keys={keys},expires={sum(table.expiring for table in tables)},avg_ttl=0"
    return facts


def own(node: Node) -> Facts:
    """What only kv has, by section and fact."""
    engine = node.engine
    facts: Facts = {"shards": engine.store.shards, "epoch": engine.epoch, **engine.statistics()}
    for section, figures in node.facts().items():
        facts |= {f"{section}_{fact}": value for fact, value in figures.items()}
    return facts


SECTIONS: Final[dict[str, Callable[[Node], Facts]]] = {
    "Server": server,
    "Clients": clients,
    "Memory": memory,
    "Persistence": persistence,
    "Stats": stats,
    "Replication": replication,
    "Cluster": cluster,
    "Keyspace": keyspace,
    "Kv": own,
}
