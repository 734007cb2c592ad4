"""The part of a round about what is kept: writes that wait for the disk, the cost of a log, snapshots, and starting."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from typing import Final

from figures import (
    ALWAYS_CONNECTIONS,
    BARE,
    INTERVAL,
    KV,
    REDIS,
    SNAPSHOT,
    STARTING,
    Figures,
    always_row,
)
from generator import Generator
from processes import Server, child, kv, redis

STORED_KEYS: Final = 1_000_000
BATCH: Final = 500
BACKGROUND_RATE: Final = 5_000
PIPELINE: Final = 16
NO_SNAPSHOTS: Final = "--snapshot-interval", "0ms", "--snapshot-log", "0"
REDIS_LOG: Final = "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"


class Durable:
    """The servers of this part: two with a log, one without, two with a million keys, and files to start from."""

    def __init__(self, stack: contextlib.ExitStack, load: Generator, keys: int) -> None:
        enter = stack.enter_context
        self._load = load
        self.always = {
            KV: enter(kv("--fsync", "always", *NO_SNAPSHOTS, folder=enter(folder()))),
            REDIS: enter(redis(*REDIS_LOG)),
        }
        self.interval = {
            KV: enter(kv("--fsync", "interval", *NO_SNAPSHOTS, folder=enter(folder()))),
            BARE: enter(kv()),
        }
        self._folders = {KV: enter(folder()), REDIS: enter(folder())}
        self.big = {
            KV: enter(kv("--fsync", "interval", *NO_SNAPSHOTS, folder=self._folders[KV])),
            REDIS: enter(redis(folder=self._folders[REDIS])),
        }
        self._keys = keys
        for server in self.big.values():
            fill(server, keys)
        self.files = {name: enter(folder()) for name in self.big}
        for name, server in self.big.items():
            call(server, b"SAVE")
            copy_snapshot(self._folders[name], self.files[name])

    def round(self, figures: Figures, seconds: float) -> None:
        for connections in ALWAYS_CONNECTIONS:
            for name, protocol in ((KV, "native"), (REDIS, "resp")):
                load = self._load.run(self.always[name], protocol, "set", 1, seconds, connections)
                figures.add(always_row(connections), name, load.figures())
        for name in (KV, BARE):
            load = self._load.run(self.interval[name], "native", "set", PIPELINE, seconds)
            figures.add(INTERVAL, name, load.figures())
        for name in (KV, REDIS):
            figures.add(STARTING, name, self._start(name))
        for name in (KV, REDIS):
            figures.add(SNAPSHOT, name, self._snapshot(name, seconds))

    def _start(self, name: str) -> dict[str, float]:
        """Start a server on files with a million keys: until it answers, and what CPU time that took."""
        began = time.perf_counter()
        files = self.files[name]
        with kv("--fsync", "interval", *NO_SNAPSHOTS, folder=files) if name == KV else redis(folder=files) as started:
            while (found := call(started, b"DBSIZE")) == b"-LOADING":
                time.sleep(0.005)
            spent = time.perf_counter() - began
            ran, waited = started.times_s()
            assert int(found[1:]) >= self._keys, f"{name} has {found!r} keys"
        return {"start_s": spent, "cpu_s": ran, "server_waited": waited / spent}

    def _snapshot(self, name: str, seconds: float) -> dict[str, float]:
        """Answers under load without a snapshot and while one is written, which must not be noticed much."""
        server = self.big[name]
        protocol = "native" if name == KV else "resp"
        with (
            child("probe.py", str(server.port)) as probe,
            self._load.background(server, protocol, BACKGROUND_RATE, 600),
        ):
            quiet = probe.ask(seconds=seconds, snapshot=False)
            busy = probe.ask(seconds=0, snapshot=True)
        told = {f"quiet_{figure}": value for figure, value in quiet.items()}
        told |= {f"busy_{figure}": value for figure, value in busy.items()}
        return told


@contextlib.contextmanager
def durable(load: Generator, *, quick: bool) -> Iterator[Durable]:
    """All that this part needs, ready."""
    with contextlib.ExitStack() as stack:
        yield Durable(stack, load, STORED_KEYS // 20 if quick else STORED_KEYS)


@contextlib.contextmanager
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as path:
        yield path


def fill(server: Server, keys: int) -> None:
    """Give *server* so many keys with values of 100 bytes that do not compress well."""
    dice = random.Random(1)
    with socket.create_connection(("127.0.0.1", server.port)) as line, line.makefile("rb") as answers:
        for first in range(0, keys, BATCH):
            text = base64.b64encode(dice.randbytes(75 * BATCH))
            words = [b"*%d\r\n$4\r\nMSET\r\n" % (2 * BATCH + 1)]
            words += [
                b"$16\r\nkey:%012d\r\n$100\r\n%b\r\n" % (first + at, text[at * 100 : at * 100 + 100])
                for at in range(BATCH)
            ]
            line.sendall(b"".join(words))
            assert answers.readline() == b"+OK\r\n"


def call(server: Server, word: bytes) -> bytes:
    """The first word of the answer to a call without arguments."""
    with socket.create_connection(("127.0.0.1", server.port)) as line, line.makefile("rb") as answers:
        line.sendall(b"*1\r\n$%d\r\n%b\r\n" % (len(word), word))
        return answers.readline().split()[0]


def copy_snapshot(source: str, target: str) -> None:
    for name in os.listdir(source):
        if name.endswith((".kvsnap", ".rdb")):
            shutil.copy(os.path.join(source, name), target)
