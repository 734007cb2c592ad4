"""Another client of Redis's protocol, as a program: it sends PING again and again, and says how long one took at most.

    pinger.py PORT PID

A line it reads begins a stretch, the next one ends it. Other programs may keep the server waiting for its CPU; so it
also says for how much CPU time of the server, the process PID, an answer was waited for at most.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from typing import Final

PAUSE_S: Final = 0.0005


class Pinger:
    def __init__(self, port: int, pid: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port))
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._times = None
        with contextlib.suppress(FileNotFoundError):
            self._times = open(f"/proc/{pid}/task/{pid}/schedstat", "rb", buffering=0)  # noqa: SIM115

    def _ran_s(self) -> float:
        """CPU time of the thread that serves; where the system does not tell, the time itself."""
        if self._times is None:
            return time.perf_counter()
        self._times.seek(0)
        return int(self._times.read(100).split()[0]) / 1e9

    def ping(self) -> tuple[float, float]:
        """How long an answer takes, and how much CPU time of the server."""
        ran, began = self._ran_s(), time.perf_counter()
        self._line.sendall(b"PING\r\n")
        if self._line.recv(100) != b"+PONG\r\n":
            raise SystemExit("the server does not answer a PING")
        return time.perf_counter() - began, self._ran_s() - ran


def main() -> None:
    pinger = Pinger(int(sys.argv[1]), int(sys.argv[2]))
    pinger.ping()
    print("ready", flush=True)
    while sys.stdin.readline():
        longest_s = costliest_s = 0.0
        print("{}", flush=True)
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            spent, ran = pinger.ping()
            longest_s, costliest_s = max(longest_s, spent), max(costliest_s, ran)
        sys.stdin.readline()
        print(json.dumps({"longest_ms": longest_s * 1e3, "pause_ms": costliest_s * 1e3}), flush=True)


if __name__ == "__main__":
    main()
