"""Fill a server's engine far beyond its budget. As a program: what that took, in a process of its own."""

from __future__ import annotations

import sys
from random import Random
from typing import Any, Final

from kv_protocol.errors import OutOfMemory, QuotaExceeded
from kv_server.model.terms import Rules
from tests.engine.rig import Client, Rig
from tests.limits.accounted import resident

BUDGET: Final = 24 << 20
KEPT: Final = 40  # locks, leases, sessions and streams of each


def furnish(rig: Rig, namespace: bytes = b"0") -> list[Any]:
    """Put there what no eviction may take, and say what of it there is."""
    client = rig.connect("keeper", namespace)
    for number in range(KEPT):
        token = client.call("LOCK", f"lock {number}", ttl=3_600_000)
        token = getattr(token, "value", token)[0]
        client.call("SET", f"bound {number}", number, lease=[f"lock {number}", token])
        client.call("XADD", f"stream {number}", ["field", "value"])
        rig.connect(f"client {number}", namespace).detach()
    return kept(rig, namespace)


def kept(rig: Rig, namespace: bytes = b"0") -> list[Any]:
    """What there is of locks, of keys that are bound to them, of streams and of sessions."""
    space = rig.store.namespaces[namespace]
    keys = {key for table in space.live_tables() for key in table}
    return [
        sorted(space.locks),
        sorted(hold.token for held in space.locks.values() for hold in held.values()),
        sorted(key for key in keys if key.startswith(b"bound ")),
        sorted(key for key in keys if key.startswith(b"stream ")),
        sorted(session.client for session in rig.engine.sessions.values()),
    ]


def fill(rig: Rig, client: Client, accounted: int, *, size: int = 300, expiring: bool = False) -> tuple[int, int]:
    """Put new keys of up to *size* bytes until they would take *accounted* bytes: how many, and how many refused."""
    dice, number, asked, refused = Random(1), 0, 0, 0
    while asked < accounted:
        length = dice.randrange(size)
        asked += length + 260
        options = {"ttl": 3_600_000 + number} if expiring or number % 2 else {}
        try:
            client.call("SET", f"key {number}", "x" * length, **options)
        except (OutOfMemory, QuotaExceeded):
            refused += 1
        number += 1
        if not number % 64:
            rig.advance(1)
    return number, refused


def main(policy: str) -> None:
    rig = Rig()
    rig.engine.sinks.remove(rig.note)
    fill(rig, rig.connect("warm", b"warm"), 1 << 18)
    before, empty = resident(), rig.store.bytes
    rig.engine.room.apply(max_memory=BUDGET, rules=Rules(numbered=policy))
    there = furnish(rig)
    fill(rig, rig.connect(), 3 * BUDGET, expiring=True)
    rig.settle()
    assert kept(rig)[:4] == there[:4]
    print(resident() - before, rig.store.bytes - empty, BUDGET - empty)


if __name__ == "__main__":
    main(sys.argv[1])
