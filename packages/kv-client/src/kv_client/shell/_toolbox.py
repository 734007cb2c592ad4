"""The tools beside the commands of the server: what each is called, and what it is for."""

from collections.abc import Callable, Sequence
from typing import Final

from kv_client.shell._table import table
from kv_client.shell._target import Target

__all__ = ["TOOLS", "tool"]

Tool = Callable[[Sequence[str], Target], int]

TOOLS: Final = {
    "scan": "the keys of the namespace, one a line",
    "bigkeys": "which keys are the largest, by type and by bytes",
    "stat": "a line a second: calls, memory, clients, keys, lag",
    "latency": "how long a round trip takes",
    "locks": "who holds which lock, and who waits",
    "monitor": "every call, as it comes",
    "top": "the server, live, on the whole screen",
    "bench": "calls as fast as they go, and how long they took",
    "health": "whether the server answers: exit status 0 or 3",
}


def tool(command: Sequence[str]) -> Tool | None:
    """The tool that *command* names; none where two of its words are a command of the server."""
    if command[0] not in TOOLS or " ".join(command[:2]).upper() in table().keys() - {command[0].upper()}:
        return None
    match command[0]:
        case "scan" | "bigkeys":
            from kv_client.shell._keys import bigkeys, scan

            return scan if command[0] == "scan" else bigkeys
        case "stat" | "latency" | "health":
            from kv_client.shell._figures import health, latency, stat

            return {"stat": stat, "latency": latency, "health": health}[command[0]]
        case "locks":
            from kv_client.shell._locks import locks

            return locks
        case "monitor":
            from kv_client.shell._monitor import monitor

            return monitor
        case "top":
            from kv_client.shell._top import top

            return top
        case _:
            from kv_client.shell._bench import bench

            return bench
