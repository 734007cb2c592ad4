"""Which figure of the server is which metric: one line for each. Figures that a server does not have are left out."""

from typing import Final, NamedTuple

__all__ = ["COUNTS", "FIGURES", "Figure"]

COUNTS: Final = "counter"
SHOWS: Final = "gauge"
_MS: Final = 0.001


class Figure(NamedTuple):
    """A *fact* of a *section* of INFO, times *scale*; the name of a counter gets its `_total` when it is written."""

    section: str
    fact: str
    kind: str
    metric: str
    help: str
    scale: float = 1


# fmt: off
FIGURES: Final = (
    Figure("state", "started", SHOWS, "kv_start_time_seconds", "When the server was started, in seconds since 1970."),
    Figure("state", "writable", SHOWS, "kv_writable", "1 while the server takes writes."),
    Figure("state", "watches", SHOWS, "kv_watches", "Watches that are open."),
    Figure("state", "subscribers", SHOWS, "kv_subscribers", "Who listens to channels."),
    Figure("state", "hits", COUNTS, "kv_reads_found", "Reading calls whose key was there."),
    Figure("state", "misses", COUNTS, "kv_reads_missed", "Reading calls whose key was not there."),
    Figure("engine", "revision", SHOWS, "kv_revision", "Revision of the last commit."),
    Figure("engine", "calls", COUNTS, "kv_calls", "Calls that were run."),
    Figure("engine", "keys", SHOWS, "kv_keys", "Keys that exist."),
    Figure("engine", "namespaces", SHOWS, "kv_namespaces", "Namespaces with anything in them."),
    Figure("engine", "expired_keys", COUNTS, "kv_expired_keys", "Keys that were dropped because their time was over."),
    Figure("engine", "expiry_lag_ms", SHOWS, "kv_expiry_lag_seconds", "How late the last expired key went.", _MS),
    Figure("engine", "evicted_keys", COUNTS, "kv_evicted_keys", "Keys that were dropped to make room."),
    Figure("engine", "bytes", SHOWS, "kv_memory_accounted_bytes", "Memory that the data is accounted for."),
    Figure("engine", "bytes_limit", SHOWS, "kv_memory_limit_bytes", "What that may be; 0 if there is no limit."),
    Figure("engine", "bytes_of_sessions", SHOWS, "kv_memory_sessions_bytes", "As much of it is for sessions."),
    Figure("engine", "refused_for_memory", COUNTS, "kv_calls_refused_for_memory", "Calls refused for want of memory."),
    Figure("engine", "refused_for_quota", COUNTS, "kv_calls_refused_for_quota", "Calls refused by a quota."),
    Figure("engine", "locks", SHOWS, "kv_locks", "Locks that are held."),
    Figure("engine", "sessions", SHOWS, "kv_sessions", "Sessions that are known, connected or not."),
    Figure("engine", "waiting_calls", SHOWS, "kv_waiting_calls", "Calls that wait, watches among them."),
    Figure("engine", "kept_answers", SHOWS, "kv_kept_answers", "Answers kept for a repeat."),
    Figure("clients", "connections", SHOWS, "kv_connections", "Connections that are open."),
    Figure("clients", "connections_limit", SHOWS, "kv_connections_limit", "Connections that may be open."),
    Figure("clients", "accepted", COUNTS, "kv_connections_accepted", "Connections that were accepted."),
    Figure("clients", "refused", COUNTS, "kv_connections_refused", "Connections beyond the limit."),
    Figure("clients", "closed_for_not_reading", COUNTS, "kv_connections_closed_for_not_reading",
           "Connections that were closed because nobody read their output."),
    Figure("clients", "closed_for_time", COUNTS, "kv_connections_timed_out",
           "Connections that were closed because a hello, a frame or a call did not come in time."),
    Figure("clients", "not_secured", COUNTS, "kv_connections_not_secured",
           "Connections whose TLS did not come about."),
    Figure("clients", "accept_pauses", COUNTS, "kv_accept_pauses", "Pauses of accepting for want of descriptors."),
    Figure("clients", "protocol_errors", COUNTS, "kv_protocol_errors", "Connections that broke a protocol."),
    Figure("clients", "internal_errors", COUNTS, "kv_internal_errors", "Calls that failed by a bug of the server."),
    Figure("clients", "bytes_received", COUNTS, "kv_received_bytes", "Bytes received from clients."),
    Figure("clients", "bytes_sent", COUNTS, "kv_sent_bytes", "Bytes sent to clients."),
    Figure("process", "memory", SHOWS, "kv_memory_resident_bytes", "Memory that the process has."),
    Figure("process", "most_memory", SHOWS, "kv_memory_resident_max_bytes", "Most memory that the process had."),
    Figure("process", "machine_memory", SHOWS, "kv_machine_memory_bytes", "Memory of the machine."),
    Figure("process", "user_s", COUNTS, "kv_cpu_user_seconds", "Processor time of the program."),
    Figure("process", "system_s", COUNTS, "kv_cpu_system_seconds", "Processor time of the system for the program."),
    Figure("loop", "rounds", COUNTS, "kv_loop_rounds", "Rounds of the loop."),
    Figure("loop", "failures", COUNTS, "kv_loop_failures", "How often what was due failed by a bug of the server."),
    Figure("loop", "lag_ms", SHOWS, "kv_loop_lag_seconds", "How late the alarm of the loop rings, on average.", _MS),
    Figure("loop", "longest_lag_ms", SHOWS, "kv_loop_lag_max_seconds", "How late it rang at most.", _MS),
    Figure("clock", "machine_ahead_ms", SHOWS, "kv_clock_offset_seconds",
           "How far the clock of the machine is ahead of the server's.", _MS),
    Figure("persistence", "kept", SHOWS, "kv_persistent", "1 if the server has a data folder."),
    Figure("persistence", "disk_well", SHOWS, "kv_disk_well", "1 while the disk takes writes."),
    Figure("persistence", "read_ms", SHOWS, "kv_recovery_seconds", "How long the start took to read the data.", _MS),
    Figure("persistence", "read_keys", SHOWS, "kv_recovery_keys", "Keys that the start read from the snapshot."),
    Figure("persistence", "torn_bytes_cut", SHOWS, "kv_recovery_cut_bytes", "Torn bytes that the start cut off."),
    Figure("persistence", "log_commits", COUNTS, "kv_log_commits", "Commits written to the log."),
    Figure("persistence", "log_groups", COUNTS, "kv_log_groups", "Groups of commits written to the log."),
    Figure("persistence", "log_bytes", COUNTS, "kv_log_written_bytes", "Bytes written to the log."),
    Figure("persistence", "log_syncs", COUNTS, "kv_log_syncs", "Syncs of the log."),
    Figure("persistence", "log_bytes_since_snapshot", SHOWS, "kv_log_since_snapshot_bytes",
           "Bytes of the log that no snapshot stands in for."),
    Figure("persistence", "changes_since_snapshot", SHOWS, "kv_log_since_snapshot_commits",
           "Commits that no snapshot stands in for."),
    Figure("persistence", "snapshot_saving", SHOWS, "kv_snapshot_running", "1 while a snapshot is written."),
    Figure("persistence", "snapshots", COUNTS, "kv_snapshots", "Snapshots that were written."),
    Figure("persistence", "snapshots_failed", COUNTS, "kv_snapshot_failures", "Snapshots that could not be written."),
    Figure("persistence", "snapshot_unix_ms", SHOWS, "kv_snapshot_time_seconds",
           "When the last snapshot was written, in seconds since 1970; 0 before the first.", _MS),
    Figure("persistence", "snapshot_ms", SHOWS, "kv_snapshot_duration_seconds", "How long the last one took.", _MS),
    Figure("persistence", "snapshot_bytes", SHOWS, "kv_snapshot_bytes", "Length of the last snapshot."),
    Figure("persistence", "snapshot_keys", SHOWS, "kv_snapshot_keys", "Keys in the last snapshot."),
)
# fmt: on
