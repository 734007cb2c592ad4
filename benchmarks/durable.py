"""The part of a round about what is kept: writes that wait for the disk, the cost of a log, snapshots, and starting."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from typing import Final

from builds import Build
from figures import (
    ALWAYS_CONNECTIONS,
    BARE,
    INTERVAL,
    KV,
    REDIS,
    SAVING,
    SNAPSHOT,
    STARTING,
    Figures,
    always_row,
)  # fmt: skip
from generator import Generator
from line import Call, line
from processes import Server, child, kv, redis

STORED_KEYS: Final = 1_000_000
BATCH: Final = 100
LOOK_S: Final = 0.005
SAVING_LOOK_S: Final = 0.05
BACKGROUND_RATE: Final = 5_000
PIPELINE: Final = 16
AT_HAND: Final = 1 << 29  # bytes of memory
NO_SNAPSHOTS: Final = "--snapshot-interval", "0ms", "--snapshot-log", "0"
REDIS_LOG: Final = "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"


class Durable:
    """The servers of this part: two with a log, one without, two with a million keys, and files to start from."""

    def __init__(self, stack: contextlib.ExitStack, load: Generator, build: Build, keys: int) -> None:
        enter = stack.enter_context
        self._load = load
        self._build = build
        self.always = {
            KV: enter(kv("--fsync", "always", *NO_SNAPSHOTS, folder=enter(folder()), build=build)),
            REDIS: enter(redis(*REDIS_LOG)),
        }
        self.interval = {
            KV: enter(kv("--fsync", "interval", *NO_SNAPSHOTS, folder=enter(folder()), build=build)),
            BARE: enter(kv(build=build)),
        }
        self._folders = {KV: enter(folder()), REDIS: enter(folder())}
        self.big = {
            KV: enter(kv("--fsync", "interval", *NO_SNAPSHOTS, folder=self._folders[KV], build=build)),
            REDIS: enter(redis(folder=self._folders[REDIS])),
        }
        self._keys = keys
        self.files = {name: enter(folder()) for name in self.big}
        for name, server in self.big.items():
            with line(server) as told:
                told.send(calls(keys))
                told.call(b"SAVE")
            copy_snapshot(self._folders[name], self.files[name])

    def round(self, figures: Figures, seconds: float) -> None:
        """Stretches of a third of *seconds*."""
        for connections in ALWAYS_CONNECTIONS:
            for name, protocol in ((KV, "native"), (REDIS, "resp")):
                load = self._load.run(self.always[name], protocol, "set", 1, seconds / 3, connections)
                figures.add(always_row(connections), name, load.figures())
        for name in (KV, BARE):
            load = self._load.run(self.interval[name], "native", "set", PIPELINE, seconds / 3)
            figures.add(INTERVAL, name, load.figures())
        for name, server in self.big.items():
            figures.add(STARTING, name, self._start(name))
            figures.add(SNAPSHOT, name, self._snapshot(name, server, seconds / 3))
            figures.add(SAVING, name, saving(server))

    def _start(self, name: str) -> dict[str, float]:
        """Start a server on files with a million keys: until it answers, and what CPU time that took. In a virtual
        machine the first to use memory again pays for it: so that is nobody who is measured.
        """
        _ = bytearray(b"x") * AT_HAND
        del _
        began = time.perf_counter()
        files = self.files[name]
        server = (
            kv("--fsync", "interval", *NO_SNAPSHOTS, folder=files, build=self._build)
            if name == KV
            else redis(folder=files)
        )
        with server as started:
            found = answered(started, (b"DBSIZE",))
            spent = time.perf_counter() - began
            ran, waited = started.times_s()
            assert int(found) >= self._keys, f"{name} has {found!r} keys"
        return {"start_s": spent, "cpu_s": ran, "server_waited": waited / spent}

    def _snapshot(self, name: str, server: Server, seconds: float) -> dict[str, float]:
        """Answers under load without a snapshot and while one is written, which must not be noticed much."""
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
def durable(load: Generator, build: Build, *, quick: bool) -> Iterator[Durable]:
    """All that this part needs, ready."""
    with contextlib.ExitStack() as stack:
        yield Durable(stack, load, build, STORED_KEYS // 20 if quick else STORED_KEYS)


@contextlib.contextmanager
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as path:
        yield path


def calls(keys: int) -> Iterator[Call]:
    """What gives a server so many keys with values of 100 bytes that do not compress well."""
    dice = random.Random(1)
    for first in range(0, keys, BATCH):
        text = base64.b64encode(dice.randbytes(75 * BATCH))
        pairs = ((b"key:%012d" % (first + at), text[at * 100 : at * 100 + 100]) for at in range(BATCH))
        yield b"MSET", *(word for pair in pairs for word in pair)


def answered(server: Server, call: Call) -> bytes:
    """The answer to *call* once the server has read its files."""
    while True:
        with contextlib.suppress(ValueError), line(server) as told:
            return told.call(*call)
        time.sleep(LOOK_S)


def saving(server: Server) -> dict[str, float]:
    """The CPU time of a snapshot in the background while nobody calls; Redis's includes the process it starts."""
    server.settle()
    before, began = server.family_s(), time.perf_counter()
    with line(server) as told:
        told.call(b"BGSAVE")
        while b"rdb_bgsave_in_progress:1" in told.call(b"INFO", b"persistence"):
            time.sleep(SAVING_LOOK_S)
    return {"cpu_s": server.family_s() - before, "spent_s": time.perf_counter() - began}


def copy_snapshot(source: str, target: str) -> None:
    for name in os.listdir(source):
        if name.endswith((".kvsnap", ".rdb")):
            shutil.copy(os.path.join(source, name), target)
