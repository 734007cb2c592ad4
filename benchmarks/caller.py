"""One client of Redis's protocol, as a program: it fills a server, and says how long calls take.

caller.py PORT
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from data_cases import SLOW, Dumped, Word, filling
from data_small import GROWING, SMALL, Small, scores

IN_FLIGHT: Final = 200  # calls that are sent before their answers are read
AT_ONCE: Final = 64 * 1024  # bytes that can be sent without anybody reading what they are answered with


class Line:
    """A connection. Answers are counted, not read: what follows them says that they are complete."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)
        self._dumps: dict[str, bytes] = {}
        self._marks = itertools.count()

    def pack(self, words: Iterable[Word]) -> bytes:
        octets = [self.dump(word.key) if isinstance(word, Dumped) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in octets)

    def dump(self, key: str) -> bytes:
        """What DUMP says of *key*, asked for once."""
        if key not in self._dumps:
            answer = self.run(self.pack(["DUMP", key]), keep=True)
            self._dumps[key] = answer[answer.index(b"\r\n") + 2 : -2]
        return self._dumps[key]

    def run(self, calls: bytes, *, keep: bool = False) -> bytes:
        """Send *calls* and wait until all is answered; the answers if they are to be kept."""
        mark = b"mark:%016d" % next(self._marks)
        end = b"$%d\r\n%b\r\n" % (len(mark), mark)
        octets = calls + self.pack(["ECHO", mark.decode()])
        sender = threading.Thread(target=self._socket.sendall, args=(octets,)) if len(octets) > AT_ONCE else None
        if sender is None:
            self._socket.sendall(octets)
        else:
            sender.start()
        last, kept = b"", b""
        while not last.endswith(end):
            size = self._socket.recv_into(self._buffer)
            if not size:
                raise SystemExit("the server closed the connection")
            if b"-" in self._buffer[:1] and not last:
                raise SystemExit(f"the server refused: {bytes(self._buffer[:200])!r}")
            last = (last + self._buffer[max(0, size - len(end)) : size])[-len(end) :]
            kept += self._buffer[:size] if keep else b""
        if sender is not None:
            sender.join()
        return kept.removesuffix(end)

    def run_all(self, calls: Iterable[Iterable[Word]]) -> None:
        rest = iter(calls)
        while part := list(itertools.islice(rest, IN_FLIGHT)):
            self.run(b"".join(map(self.pack, part)))

    def best_us(self, small: Small, size: int, times: int) -> float:
        """How long the calls of *small* take together, at their best."""
        octets = [b"".join(map(self.pack, small.calls(size, number))) for number in range(times)]
        took = []
        for each in octets:
            began = time.perf_counter()
            self.run(each)
            took.append(time.perf_counter() - began)
        return min(took) * 1e6


def crowd(port: int, count: int) -> None:
    """So many transactions at the same time: all have begun before the first is run. Each is whole, and its own."""
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for number, line in enumerate(lines):
        line.sendall(b"MULTI\r\nINCR crowd\r\nGET crowd\r\nSADD crowds %d\r\n" % number)
    for line in lines:
        read(line, 4)
    for line in lines:
        line.sendall(b"EXEC\r\n")
    answers = [read(line, 5).split(b"\r\n") for line in lines]
    for head, counted, _, got, added, _ in answers:
        if (head, counted[1:], added) != (b"*3", got, b":1"):
            raise SystemExit("a transaction was not whole")
    if len({counted for _, counted, *_ in answers}) != count:
        raise SystemExit("two transactions were one")
    for line in lines:
        line.close()


def read(line: socket.socket, count: int) -> bytes:
    """So many lines of what is answered."""
    heard = b""
    while heard.count(b"\r\n") < count:
        data = line.recv(4_096)
        if not data:
            raise SystemExit("the server closed a connection")
        heard += data
    return heard


def answer(line: Line, question: dict[str, Any]) -> dict[str, float]:
    what, size = question["what"], question.get("size", 0)
    packed = b""
    if what == "small":
        small = (*SMALL, *GROWING)[question["case"]]
        return {"best_us": line.best_us(small, size, question["times"])}
    if what in ("before", "slow"):
        slow = SLOW[question["case"]]
        calls = slow.before(size) if what == "before" else slow.calls(size)
        packed = b"".join(map(line.pack, calls))
    began = time.perf_counter()
    if packed:
        line.run(packed)
    elif what == "fill":
        line.run_all(filling(size))
    elif what == "prepare":
        for small in SMALL:
            line.run_all(small.before(size))
        for size in question["sizes"]:
            line.run_all(scores(f"z:{size}", 0, size))
    elif what == "crowd":
        crowd(line.port, size)
    return {"spent_ms": (time.perf_counter() - began) * 1e3}


def main() -> None:
    line = Line(int(sys.argv[1]))
    print("ready", flush=True)
    for question in map(json.loads, sys.stdin):
        print(json.dumps(answer(line, question)), flush=True)


if __name__ == "__main__":
    main()
