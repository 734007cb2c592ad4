"""What runs swiftly does what the commands do: the same script once with and once without what is swift."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgpack import unpackb

import kv_server.engine.access.secrets as secrets
from kv_protocol.values import encode
from tests.builds.callers import Caller, sent
from tests.builds.scripts import Script, around, packed, swift_calls, terms_of
from tests.builds.swift import AMONG, COMMON, MANY
from tests.builds.typed import KEYS, VALUES
from tests.builds.worker import World

SEEDS = 60


def gets_and_sets(dice: Random) -> Script:
    """The two that both builds run swiftly, with hardly anything among them."""
    terms, caller = terms_of(dice), Caller(dice, 0, "native")
    steps, share = caller.open(), dice.choice([0.0, 0.1, 0.9])
    for _ in range(dice.randint(10, 50)):
        if dice.random() < 0.1:
            steps += around(dice, [caller], terms, quiet=True)
        data = b""
        for _ in range(dice.choice([1, 1, 2, 5, 16, 64])):
            key = dice.choice(dice.choice([KEYS, MANY[:50]]))
            value = encode(dice.choice(dice.choice([COMMON, VALUES])))
            if dice.random() < 0.02:
                data += caller.request(*dice.choice(AMONG))
            elif dice.random() < 0.5:
                data += caller.request(b"GET", [key], share=share)
            else:
                options = {b"ttl": dice.randint(1, 9)} if dice.random() < 0.05 else None
                data += caller.request(b"SET", [key, value], options, share=share)
        steps += sent(dice, 0, data, 0.2)
    return Script("", terms, steps)


@pytest.mark.parametrize("make", [swift_calls, gets_and_sets])
def test_what_runs_swiftly_does_what_commands_do(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_COST", 2)
    hurried = calls = 0
    for seed in range(SEEDS):
        script = unpackb(packed(make(Random(seed))), strict_map_key=False, unicode_errors="surrogateescape")
        swift, slow = World(script["terms"]), World(script["terms"])
        slow.doors["native"].swift = slow.doors["resp"].lanes = None
        for number, step in enumerate(script["steps"]):
            assert swift.run(*step) == slow.run(*step), (seed, number, step)
        assert swift.whole() == slow.whole(), seed
        assert not slow.hurried
        hurried, calls = hurried + swift.hurried, calls + swift.engine.calls
    assert hurried > calls // 200, "hardly anything ran swiftly"
