"""Another client of Redis's protocol, as a program: it sends PING again and again, and says how long one took at most.

    pinger.py PORT

A line it reads begins a stretch, the next one ends it.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from typing import Final

PAUSE_S: Final = 0.0005


def main() -> None:
    line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ping(line)
    print("ready", flush=True)
    while sys.stdin.readline():
        longest_s = 0.0
        print("{}", flush=True)
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            longest_s = max(longest_s, ping(line))
        sys.stdin.readline()
        print(json.dumps({"longest_ms": longest_s * 1e3}), flush=True)


def ping(line: socket.socket) -> float:
    began = time.perf_counter()
    line.sendall(b"PING\r\n")
    if line.recv(100) != b"+PONG\r\n":
        raise SystemExit("the server does not answer a PING")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
