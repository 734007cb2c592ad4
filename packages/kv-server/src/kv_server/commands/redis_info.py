"""INFO as Redis writes it: text in sections, with kv's own figures at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from kv_protocol.names import text
from kv_server.commands.redis_session import REDIS_VERSION
from kv_server.commands.saving import saved_ms
from kv_server.commands.server import figures
from kv_server.engine.node import Node
from kv_server.model.space import Namespace
from kv_server.spec.catalog import command
from kv_server.spec.command import READ, RESP_DOOR, SLOW, SPANS
from kv_server.spec.resp_kinds import Verbatim
from kv_server.spec.types import OPTIONAL, Octets

Facts: TypeAlias = dict[str, Any]
_USUAL: Final = frozenset(("", "default"))
_ALL: Final = frozenset(("all", "everything"))
_UNITS: Final = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))
_SHARES: Final = (50, 99, 99.9)


@command(
    READ | SLOW | SPANS, group="server", since="0.1", cost="O(namespaces * shards)", name="INFO", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def info_on_resp(node: Node, /, *sections: Annotated[Octets, OPTIONAL]) -> Verbatim:
    """Return figures about the server as text: the usual sections, `all`, or those named."""
    wanted = {section.decode("utf-8", "replace").lower() for section in sections} or {"default"}
    shown = [
        (title, of(node))
        for title, of in SECTIONS.items()
        if wanted & _ALL or title.lower() in wanted or (wanted & _USUAL and title not in BY_COMMAND)
    ]
    return Verbatim("\r\n".join(f"# {title}\r\n" + "".join(map(line, facts.items())) for title, facts in shown))


@command(
    READ, group="server", since="0.1", cost="O(namespaces * shards)", name="MEMORY STATS", doors=RESP_DOOR, method=None
)
def memory_stats(node: Node, /) -> dict[str, Any]:
    """Return how much memory the server takes, in octets, and how much of it keys and values are accounted for."""
    found = memory(node)
    used, most, dataset = found["used_memory"], found["used_memory_peak"], found["used_memory_dataset"]
    spaces = node.engine.store.namespaces
    keys = sum(map(len, spaces.values()))
    return {
        "peak.allocated": most,
        "total.allocated": used,
        "startup.allocated": 0,
        "replication.backlog": 0,
        "clients.slaves": 0,
        "clients.normal": 0,
        "cluster.links": 0,
        "aof.buffer": 0,
        "overhead.total": used - dataset,
        "keys.count": keys,
        "keys.bytes-per-key": dataset // max(keys, 1),
        "dataset.bytes": dataset,
        "dataset.percentage": 100 * dataset / max(used, 1),
        "peak.percentage": 100 * used / max(most, 1),
        "fragmentation": 1.0,
        "fragmentation.bytes": 0,
        "sessions.bytes": node.engine.store.callers,
        **{f"namespace.{text(name)}": by_shard(space) for name, space in sorted(spaces.items())},
    }


def by_shard(space: Namespace) -> dict[str, Any]:
    """What a namespace takes in all, for its locks, and in each shard that has something."""
    shards = {str(number): table.bytes for number, table in enumerate(space.tables) if table}
    return {"bytes": space.bytes, "locks.bytes": space.lock_bytes, "keys": space.keys, "shards": shards}


def line(fact: tuple[str, Any]) -> str:
    return f"{fact[0]}:{fact[1]}\r\n"


def human(size: int) -> str:
    """A number of bytes as people read it."""
    unit, mark = next(((unit, mark) for unit, mark in _UNITS if size >= unit), (1, "B"))
    return f"{size}B" if unit == 1 else f"{size / unit:.2f}{mark}"


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
        "process_supervised": "no",
        "run_id": f"{engine.epoch:040x}",
        "tcp_port": ours.get("port", 0),
        "server_time_usec": engine.now_ms * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86_400,
        "hz": 10,
        "configured_hz": 10,
        "lru_clock": engine.now_ms // 1000 & 0xFFFFFF,
        "executable": ours.get("name", "kv-server"),
        "config_file": "",
        "io_threads_active": 0,
        "kv_version": ours.get("version", ""),
        "build": ours.get("build", ""),
    }


def clients(node: Node) -> Facts:
    ours = node.facts().get("clients", {})
    engine = node.engine
    return {
        "connected_clients": ours.get("connections", 0),
        "cluster_connections": 0,
        "maxclients": ours.get("connections_limit", 0),
        "client_recent_max_input_buffer": 0,
        "client_recent_max_output_buffer": 0,
        "blocked_clients": sum(1 for session in engine.sessions.values() if session.waiting),
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
        "total_blocking_keys": len(engine.watchers.parked),
        "total_blocking_keys_on_nokey": 0,
    }


def memory(node: Node) -> Facts:
    """What the process takes is `used_memory`; `used_memory_dataset` are keys and values as they are accounted for."""
    process = node.facts().get("process", {})
    room = node.engine.room
    room.weigh_callers()
    dataset = node.engine.store.bytes
    used = max(int(process.get("memory", 0)), dataset)
    most = max(int(process.get("most_memory", 0)), used)
    machine = int(process.get("machine_memory", 0))
    return {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": used,
        "used_memory_rss_human": human(used),
        "used_memory_peak": most,
        "used_memory_peak_human": human(most),
        "used_memory_peak_perc": f"{100 * used / max(most, 1):.2f}%",
        "used_memory_overhead": used - dataset,
        "used_memory_startup": 0,
        "used_memory_dataset": dataset,
        "used_memory_dataset_perc": f"{100 * dataset / max(used, 1):.2f}%",
        "total_system_memory": machine,
        "total_system_memory_human": human(machine),
        "used_memory_lua": 0,
        "used_memory_lua_human": "0B",
        "used_memory_scripts": 0,
        "used_memory_scripts_human": "0B",
        "number_of_cached_scripts": 0,
        "number_of_functions": 0,
        "number_of_libraries": 0,
        "maxmemory": room.max_memory,
        "maxmemory_human": human(room.max_memory),
        "maxmemory_policy": room.rules.numbered,
        "allocator_frag_ratio": "1.00",
        "allocator_frag_bytes": 0,
        "allocator_rss_ratio": "1.00",
        "allocator_rss_bytes": 0,
        "mem_fragmentation_ratio": "1.00",
        "mem_fragmentation_bytes": 0,
        "mem_not_counted_for_evict": 0,
        "mem_replication_backlog": 0,
        "mem_clients_slaves": 0,
        "mem_clients_normal": 0,
        "mem_cluster_links": 0,
        "mem_aof_buffer": 0,
        "mem_allocator": "python",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": sum(map(len, node.engine.store.garbage)),
        "lazyfreed_objects": 0,
    }


def persistence(node: Node) -> Facts:
    """The log is what Redis calls AOF here, snapshots are its RDB files."""
    ours, engine = node.facts().get("persistence", {}), node.engine
    facts: Facts = {"loading": int(engine.loading), "async_loading": 0}
    if engine.loading:
        done, whole = int(ours.get("read_bytes", 0)), int(ours.get("read_bytes_in_all", 0))
        facts |= {
            "loading_start_time": (engine.now_ms - engine.elapsed_ms + engine.started_ms) // 1000,
            "loading_total_bytes": whole,
            "loading_loaded_bytes": done,
            "loading_loaded_perc": f"{100 * done / max(whole, 1):.2f}",
        }
    began_ms = int(ours.get("snapshot_began_ms", 0))
    logs = ours.get("kept", 0)
    facts |= {
        "rdb_changes_since_last_save": ours.get("changes_since_snapshot", 0),
        "rdb_bgsave_in_progress": ours.get("snapshot_saving", 0),
        "rdb_last_save_time": saved_ms(node) // 1000,
        "rdb_last_bgsave_status": "err" if ours.get("snapshot_error") else "ok",
        "rdb_last_bgsave_time_sec": int(ours["snapshot_ms"]) // 1000 if ours.get("snapshots") else -1,
        "rdb_current_bgsave_time_sec": (engine.elapsed_ms - began_ms) // 1000 if began_ms else -1,
        "rdb_saves": ours.get("snapshots", 0),
        "rdb_last_cow_size": 0,
        "rdb_last_load_keys_expired": 0,
        "rdb_last_load_keys_loaded": ours.get("read_keys", 0),
        "aof_enabled": logs,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "err" if ours.get("disk_error") else "ok",
        "aof_last_cow_size": 0,
    }
    if logs:
        facts |= {
            "aof_current_size": ours.get("log_bytes_since_snapshot", 0),
            "aof_base_size": 0,
            "aof_pending_rewrite": 0,
            "aof_buffer_length": 0,
            "aof_pending_bio_fsync": ours.get("log_syncing", 0),
            "aof_delayed_fsync": 0,
        }
    return facts


def stats(node: Node) -> Facts:
    facts, engine = node.facts(), node.engine
    ours, loop = facts.get("clients", {}), facts.get("loop", {})
    channels = engine.channels
    return {
        "total_connections_received": ours.get("accepted", 0),
        "total_commands_processed": engine.calls,
        "instantaneous_ops_per_sec": loop.get("calls_per_s", 0),
        "total_net_input_bytes": ours.get("bytes_received", 0),
        "total_net_output_bytes": ours.get("bytes_sent", 0),
        "instantaneous_input_kbps": f"{float(loop.get('bytes_received_per_s', 0)) / 1024:.2f}",
        "instantaneous_output_kbps": f"{float(loop.get('bytes_sent_per_s', 0)) / 1024:.2f}",
        "rejected_connections": ours.get("refused", 0),
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_keys": engine.expired,
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": 0,
        "expire_cycle_cpu_milliseconds": 0,
        "evicted_keys": engine.room.evicted,
        "evicted_clients": 0,
        "total_eviction_exceeded_time": 0,
        "current_eviction_exceeded_time": 0,
        "keyspace_hits": engine.hits,
        "keyspace_misses": engine.misses,
        "pubsub_channels": sum(map(len, channels.connections.spaces.values())),
        "pubsub_patterns": sum(map(len, channels.patterns.spaces.values())),
        "pubsubshard_channels": sum(map(len, channels.shards.spaces.values())),
        "latest_fork_usec": 0,
        "total_forks": 0,
        "migrate_cached_sockets": 0,
        "slave_expires_tracked_keys": 0,
        "active_defrag_hits": 0,
        "active_defrag_misses": 0,
        "active_defrag_key_hits": 0,
        "active_defrag_key_misses": 0,
        "tracking_total_keys": 0,
        "tracking_total_items": 0,
        "tracking_total_prefixes": 0,
        "unexpected_error_replies": ours.get("internal_errors", 0),
        "total_error_replies": engine.observation.errors.total(),
        "total_reads_processed": loop.get("rounds", 0),
        "total_writes_processed": loop.get("rounds", 0),
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
        "repl_backlog_size": 0,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cpu(node: Node) -> Facts:
    process = node.facts().get("process", {})
    system, user = f"{process.get('system_s', 0):.6f}", f"{process.get('user_s', 0):.6f}"
    return {
        "used_cpu_sys": system,
        "used_cpu_user": user,
        "used_cpu_sys_children": "0.000000",
        "used_cpu_user_children": "0.000000",
        "used_cpu_sys_main_thread": system,
        "used_cpu_user_main_thread": user,
    }


def modules(node: Node) -> Facts:
    return {}


def command_figures(node: Node) -> Facts:
    return {
        f"cmdstat_{name}": f"calls={tally.calls},usec={tally.spent_us},"
        f"usec_per_call={tally.spent_us / tally.calls:.2f},rejected_calls=0,failed_calls={tally.failed}"
        for name, tally in node.engine.observation.tallies.items()
    }


def error_figures(node: Node) -> Facts:
    return {f"errorstat_{word}": f"count={times}" for word, times in sorted(node.engine.observation.errors.items())}


def latency_figures(node: Node) -> Facts:
    return {
        f"latency_percentiles_usec_{name}": ",".join(f"p{share}={tally.below(share / 100)}.000" for share in _SHARES)
        for name, tally in node.engine.observation.tallies.items()
    }


def cluster(node: Node) -> Facts:
    return {"cluster_enabled": 0}


def keyspace(node: Node) -> Facts:
    facts = {}
    for name, space in sorted(node.engine.store.namespaces.items()):
        if space.keys:
            called = f"db{name.decode()}" if name.isdigit() else text(name).encode("utf-8", "replace").decode()
            expires = sum(table.expiring for table in space.live_tables())
            facts[called] = f"keys={space.keys},expires={expires},avg_ttl=0"
    return facts


def own(node: Node) -> Facts:
    """What only kv has, by section and fact: the figures that the native door has too."""
    facts: Facts = {}
    for section, found in figures(node).items():
        if section != "keyspace":
            facts |= {fact if section == "engine" else f"{section}_{fact}": value for fact, value in found.items()}
    return facts


def namespaces(node: Node) -> Facts:
    """What each namespace has, and may have where it has a limit."""
    found = {}
    for name, space in sorted(node.engine.store.namespaces.items()):
        limits = [(word, getattr(space.terms, word)) for word in ("bytes", "keys", "connections", "ops")]
        has = f"keys={space.keys},bytes={space.bytes},evicted={space.evicted},policy={space.terms.policy}"
        called = text(name).encode("utf-8", "backslashreplace").decode()
        found[f"namespace_{called!r}"] = ",".join((has, *(f"max_{word}={most}" for word, most in limits if most)))
    return found


SECTIONS: Final[dict[str, Callable[[Node], Facts]]] = {
    "Server": server,
    "Clients": clients,
    "Memory": memory,
    "Persistence": persistence,
    "Stats": stats,
    "Replication": replication,
    "CPU": cpu,
    "Modules": modules,
    "Commandstats": command_figures,
    "Errorstats": error_figures,
    "Latencystats": latency_figures,
    "Cluster": cluster,
    "Keyspace": keyspace,
    "Namespaces": namespaces,
    "Kv": own,
}
BY_COMMAND: Final = frozenset(("Commandstats", "Latencystats", "Namespaces"))
"""Sections that are shown to those who ask for them, or for all."""
