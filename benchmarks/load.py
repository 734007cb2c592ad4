"""The load generator without a compiler: the slower twin of load.c, with the same words, input and output."""

from __future__ import annotations

import json
import random
import selectors
import socket
import sys
import time
from abc import ABC, abstractmethod
from typing import Any, Final

from kv_protocol.frames import FrameReader, pack, unpack_reply
from kv_protocol.values import encode

VALUE: Final = "abcdefghij" * 10
DEADLINE_MS: Final = 3_600_000
SEEN_EVERY: Final = 64


class Failed(Exception):
    """The server answered with an error, or not at all."""


class Connection(ABC):
    """A socket with one batch of requests under way; the two protocols derive from it."""

    def __init__(self, port: int, operation: str) -> None:
        self.operation = operation
        self.prefix = "counter:" if operation == "incr" else "key:"
        self.pending = 0
        self.absent = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @abstractmethod
    def request(self, key: str, *, batch_begins: bool) -> bytes:
        """One request about *key*."""

    @abstractmethod
    def count_replies(self, data: bytes) -> int:
        """The number of replies that are complete with *data*."""

    def send(self, keys: list[int]) -> None:
        names = [f"{self.prefix}{key:012}" for key in keys]
        self.socket.sendall(b"".join(self.request(name, batch_begins=not place) for place, name in enumerate(names)))
        self.pending = len(keys)

    def receive(self) -> int:
        """Take what has come; the number of replies in it."""
        data = self.socket.recv(65_536)
        if not data:
            raise Failed("the server closed a connection")
        count = self.count_replies(data)
        self.pending -= count
        return count


class Native(Connection):
    """kv's protocol, plain or with the meta of a session."""

    def __init__(self, port: int, operation: str, session: bool) -> None:
        super().__init__(port, operation)
        self.session = session
        self.reader = FrameReader()
        self.number = 1
        self.seen = 1
        self.value = encode(VALUE)
        self.socket.sendall(pack([1, "HELLO", [1], {"client": "benchmark"}]))
        while not (bodies := self.reader.feed(self.socket.recv(65_536))):
            pass
        self.deadline_ms = unpack_reply(bodies[0])[2]["clock_ms"] + DEADLINE_MS

    def request(self, key: str, *, batch_begins: bool) -> bytes:
        self.number += 1
        if batch_begins:
            self.seen = self.number
        arguments = [key, self.value] if self.operation == "set" else [key]
        if not self.session:
            return pack([self.number, self.operation.upper(), arguments])
        meta = {1: self.deadline_ms}
        if self.operation != "get":
            meta[2] = self.number
            if self.number % SEEN_EVERY == 0:
                meta[3] = self.seen
        return pack([self.number, self.operation.upper(), arguments, None, meta])

    def count_replies(self, data: bytes) -> int:
        bodies = self.reader.feed(data)
        for body in bodies:
            _, status, answer = unpack_reply(body)
            if status != 0:
                raise Failed(f"an error: {answer}")
            self.absent += answer is None
        return len(bodies)


class Resp(Connection):
    """Redis's protocol."""

    def __init__(self, port: int, operation: str) -> None:
        super().__init__(port, operation)
        self.held = b""

    def request(self, key: str, *, batch_begins: bool) -> bytes:
        words = [self.operation.upper(), key, *([VALUE] if self.operation == "set" else [])]
        return "".join([f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]).encode()

    def count_replies(self, data: bytes) -> int:
        data, count, at = self.held + data, 0, 0
        while (end := data.find(b"\r\n", at) + 2) > 1:
            if data[at : at + 1] == b"-":
                raise Failed(f"an error: {data[at:end]!r}")
            if data[at : at + 1] == b"$":
                size = int(data[at + 1 : end])
                self.absent += size < 0
                end += size + 2 if size >= 0 else 0
                if end > len(data):
                    break
            at, count = end, count + 1
        self.held = data[at:]
        return count


class Run:
    """The load itself: whose turn it is, which keys, when it ends."""

    def __init__(self, peers: list[Connection], pipeline: int, keys: int, seconds: float, rate: float) -> None:
        self.peers = peers
        self.pipeline = pipeline
        self.keys = keys
        self.seconds = seconds
        self.rate = rate
        self.filled = 0
        self.dice = random.Random(1)

    def pick(self) -> int:
        if self.seconds:
            return self.dice.randrange(self.keys)
        self.filled += 1
        return (self.filled - 1) % self.keys

    def more(self, since: float) -> bool:
        return since < self.seconds if self.seconds else self.filled < self.keys

    def go(self) -> dict[str, Any]:
        """Send and receive until the end; what was done."""
        ready = selectors.DefaultSelector()
        for peer in self.peers:
            ready.register(peer.socket, selectors.EVENT_READ, peer)
        resting, operations, following = list(self.peers), 0, 0.0
        begin = time.monotonic()
        while (more := self.more(since := time.monotonic() - begin)) or len(resting) < len(self.peers):
            while more and resting and since >= following:
                resting.pop().send([self.pick() for _ in range(self.pipeline)])
                following += self.pipeline / self.rate if self.rate else 0
                more = self.more(since)
            for key, _ in ready.select(0.001 if self.rate else 1.0):
                operations += key.data.receive()
                if not key.data.pending:
                    resting.append(key.data)
        absent = sum(peer.absent for peer in self.peers)
        return {"operations": operations, "seconds": time.monotonic() - begin, "absent": absent}


def main() -> None:
    protocol, port, operation, connections, pipeline, keys, seconds, rate = sys.argv[1:]
    peers: list[Connection] = [
        Resp(int(port), operation) if protocol == "resp" else Native(int(port), operation, protocol == "session")
        for _ in range(int(connections))
    ]
    run = Run(peers, int(pipeline), int(keys), float(seconds), float(rate))
    print("ready", flush=True)
    if sys.stdin.readline():
        print(json.dumps(run.go()), flush=True)


if __name__ == "__main__":
    main()
