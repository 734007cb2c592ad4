"""One patient client, as a program: it writes a key about a thousand times a second and says how long answers took.

    probe.py PORT

It speaks the protocol of Redis to either server. A line it reads is one stretch: so many seconds, or, with *snapshot*,
as long as the server takes for a snapshot in the background, which it asks for.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Final

PAUSE_S: Final = 0.001
LOOK_EVERY: Final = 50
MOST_S: Final = 120.0
WRITE: Final = b"*3\r\n$3\r\nSET\r\n$5\r\nprobe\r\n$5\r\nvalue\r\n"
SAVE: Final = b"*1\r\n$6\r\nBGSAVE\r\n"
INFO: Final = b"*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n"


class Line:
    """A connection with one call at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, call: bytes) -> bytes:
        self._socket.sendall(call)
        answer = self._socket.recv(65_536)
        while answer[:1] == b"$" and len(answer) < int(answer[1 : answer.index(b"\r\n")]) + 2:
            answer += self._socket.recv(65_536)
        if not answer or answer[:1] == b"-":
            raise SystemExit(f"the server answered {answer!r}")
        return answer

    def saves(self) -> bool:
        """Whether a snapshot is being written."""
        return b"rdb_bgsave_in_progress:1" in self.ask(INFO)


def measure(line: Line, seconds: float, snapshot: bool) -> dict[str, float]:
    if snapshot:
        line.ask(SAVE)
    took: list[float] = []
    began = moment = time.perf_counter()
    while moment - began < (MOST_S if snapshot else seconds):
        line.ask(WRITE)
        done = time.perf_counter()
        took.append(done - moment)
        if snapshot and not len(took) % LOOK_EVERY and not line.saves():
            break
        time.sleep(PAUSE_S)
        moment = time.perf_counter()
    spent = time.perf_counter() - began
    took.sort()
    return {
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[len(took) * 99 // 100] * 1e3,
        "longest_ms": took[-1] * 1e3,
        "spent_s": spent,
    }


def main() -> None:
    line = Line(int(sys.argv[1]))
    print("ready", flush=True)
    for question in map(json.loads, sys.stdin):
        print(json.dumps(measure(line, question["seconds"], question["snapshot"])), flush=True)


if __name__ == "__main__":
    main()
