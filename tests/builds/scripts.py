"""Scripts for an engine with both doors: random calls of all commands, the four swift ones in every form, torn input.

A step is a list: what to do, then its arguments, as `worker.World` has them. A script is the same whenever its seed is.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

from msgpack import packb

from kv_server.commands import CATALOG
from kv_server.model.terms import POLICIES
from tests.builds.bulk import Bulk
from tests.builds.callers import Caller, Step, line, sent
from tests.builds.swift import AMONG, BETWEEN, plain_line, plain_request, swift_line, swift_request
from tests.builds.typed import COMMANDS, drawn, dumped, frame
from tests.redis.families import FAMILIES
from tests.redis.family import Make
from tests.redis.steps import Call, Move

APART: Final = {
    "KEYS": "sorted",
    "RANDOMKEY": "any",
    "INFO": "sized",
    "NAMESPACE STATS": "sized",
    "MEMORY USAGE": "sized",
    "MEMORY": "sized",
}
"""Their answers follow the order of whole tables, or tell what data takes: they are sent alone."""
LARGE: Final = {"COMMAND", "COMMAND DOCS", "COMMAND INFO", "COMMAND LIST", "ACL CAT", "LOLWUT", "CONFIG GET"}
"""What they say is long, and of no build."""


class Script(NamedTuple):
    """A seed's steps in an engine under certain *terms*; which connection speaks which protocol is in the steps."""

    name: str
    terms: dict[str, Any]
    steps: list[Step]


def script_of(seed: int) -> Script:
    """The script of a *seed*: the kinds take turns."""
    name = KINDS[seed % len(KINDS)]
    return MAKERS[name](Random(seed))._replace(name=f"{name} {seed}")


def terms_of(dice: Random) -> dict[str, Any]:
    """What an engine has. Where there are caches, no budget is in bytes: those decide what goes, and when."""
    rules: list[Any] = []
    numbered = "noeviction"
    if dice.random() < 0.25:
        rules = [[b"0", [dice.choice(POLICIES), 0, dice.choice([0, 3, 8]), 0, dice.choice([0, 0, 0, 40])]]]
        rules.append([b"other", dice.choice([[dice.choice(POLICIES), 0, 5, 0, 0], ["noeviction", 1, 5, 0, 0]])])
        numbered = dice.choice(POLICIES)
    return {
        "shards": dice.choice([1, 8, 64]),
        "journal": dice.random() < 0.8,
        "history": dice.choice([0, 0, 1_000]),
        "rules": rules,
        "numbered": numbered,
    }


# ---- all commands
@cache
def makers() -> list[list[Make]]:
    """What makes the calls of a command line, family by family."""
    served = {word.decode().lower().replace(" ", "|") for word in CATALOG.spoken}
    return [makes for family in FAMILIES for makes in [family.sources(served)] if makes]


def said(dice: Random) -> list[bytes]:
    """Command lines of one family: one, or a few that belong together.

    Ranges of names mean nothing where scores differ: only `Bulk` has them.
    """

    def choose(count: int) -> int:
        return dice.randrange(count)

    lines = []
    for call in dice.choice(dice.choice(makers()))(choose):
        lines += _lines_of(dice, call)
    return lines


def _lines_of(dice: Random, call: Call) -> list[bytes]:
    words = list(call.words)
    name = words[0].upper().decode("latin-1") if words else ""
    if isinstance(call, Move):
        return [line(*words), line(*(dice.choice(dumped()) if each == Move.PAYLOAD else each for each in call.restore))]
    if name in ("SCAN", "HSCAN", "SSCAN", "ZSCAN") and hasattr(call, "options"):
        words += [b"%d" % dice.choice([0, 0, 1 << 48, dice.getrandbits(51)]), *call.options]
    if name in APART or (name in LARGE and dice.random() < 0.95) or not words or b"LEX" in b" ".join(words).upper():
        return []
    return [line(*words)]


def asked(dice: Random, caller: Caller) -> bytes:
    """A request of any command."""
    while True:
        command = dice.choice(COMMANDS)
        if command.name not in APART and (command.name not in LARGE or dice.random() < 0.02):
            call = drawn(dice, command)
            if "LEX" not in repr(call).upper():
                return caller.request(*call)


def around(dice: Random, callers: list[Caller], terms: dict[str, Any], quiet: bool = False) -> list[Step]:
    """What happens between calls."""
    number = dice.choice(callers).number
    if dice.random() < 0.6 or quiet:
        return [["advance" if dice.random() < 0.7 else "pass_unnoticed", dice.choice([1, 1, 5, 50, 1_000, 100_000])]]
    match dice.randrange(8):
        case 0 if not terms["rules"]:
            return [["memory", dice.choice([0, 1])]]
        case 1:
            return [["sink", dice.random() < 0.5]]
        case 2:
            return [["copy", dice.choice([0, 0, 1, 2])]]
        case 3:
            return [["lose", number]]
        case 4:
            caller = Caller(dice, number, dice.choice(["native", "resp"]))
            callers[:] = [each if each.number != number else caller for each in callers]
            return [["leave", number], *caller.open()]
        case 5 | 6:
            return apart(dice)
        case _:
            return [["memory", 0]]


def apart(dice: Random) -> list[Step]:
    """Somebody comes, asks for what is not the same in both builds, and leaves."""
    caller = Caller(dice, 99, dice.choice(["native", "resp"]))
    native = caller.door == "native"
    words = dice.choice(
        [[b"KEYS", b"*"], [b"RANDOMKEY"], [b"INFO"], [b"MEMORY USAGE", b"a"], [b"NAMESPACE STATS", b"0"]]
        if native
        else [[b"KEYS", b"*"], [b"RANDOMKEY"], [b"INFO"], [b"MEMORY", b"USAGE", b"a"], [b"MEMORY", b"STATS"]]
    )
    way = APART[words[0].decode()]
    data = frame(dice, 2, words[0], words[1:]) if native else line(*words)
    return [*caller.open(), ["data", 99, data, way], ["leave", 99]]


def any_calls(dice: Random) -> Script:
    """Calls of all commands on a few connections of both doors."""
    terms = terms_of(dice)
    doors = dice.choice(
        [["native"], ["resp"], ["native", "resp"], ["native", "resp", "resp"], ["native", "native", "resp"]]
    )
    callers = [Caller(dice, number, door) for number, door in enumerate(doors)]
    steps = [step for caller in callers for step in caller.open()]
    for _ in range(dice.randint(10, 60)):
        if dice.random() < 0.15:
            steps += around(dice, callers, terms)
            continue
        caller = dice.choice(callers)
        count = dice.choice([1, 1, 1, 2, 5, 12])
        if caller.door == "native":
            data = b"".join(asked(dice, caller) for _ in range(count))
        else:
            data = b"".join(each for _ in range(count) for each in said(dice))
        steps += sent(dice, caller.number, data, 0.1)
    return Script("", terms, steps)


def swift_calls(dice: Random) -> Script:
    """The four commands that have a way of their own, with everything that must close it now and then."""
    terms = terms_of(dice)
    between = [each for each in BETWEEN if not terms["rules"] or b"maxmemory" not in each]
    doors = dice.choice([["resp"], ["native"], ["native", "resp"], ["resp", "native", "resp"]])
    callers = [Caller(dice, number, door) for number, door in enumerate(doors)]
    steps = [step for caller in callers for step in caller.open()]
    odd = dice.choice([0.0, 0.05, 0.05, 0.2])
    for _ in range(dice.randint(10, 50)):
        if dice.random() < 0.12:
            steps += around(dice, callers, terms, quiet=dice.random() < 0.5)
            continue
        caller = dice.choice(callers)
        native = caller.door == "native"
        data = b""
        plain, share = dice.random() < 0.6, dice.choice([0, 0, 0.5])
        for _ in range(dice.choice([1, 1, 2, 5, 16, 64])):
            if plain and dice.random() > odd / 10:
                data += plain_request(dice, caller) if native else plain_line(dice, share)
            elif dice.random() < odd:
                data += caller.request(*dice.choice(AMONG)) if native else dice.choice(between)
            else:
                data += swift_request(dice, caller) if native else swift_line(dice)
        steps += sent(dice, caller.number, data, 0.15)
    return Script("", terms, steps)


# ---- large collections
def bulk_calls(dice: Random) -> Script:
    """Collections that grow and shrink."""
    caller = Caller(dice, 0, "resp")
    terms, bulk = terms_of(dice), Bulk(dice)
    steps = caller.open()
    for _ in range(dice.randint(5, 30)):
        if dice.random() < 0.1:
            steps += around(dice, [caller], terms, quiet=dice.random() < 0.7)
        else:
            steps.append(["data", 0, b"".join(line(*bulk.line()) for _ in range(dice.choice([1, 2, 5, 20])))])
    return Script("", terms, steps)


# ---- what is no call
def spoilt(dice: Random, data: bytes) -> bytes:
    """*data* with some octets changed, gone, doubled or added."""
    made = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at = dice.randrange(len(made) + 1)
        match dice.randrange(6):
            case 0 if made:
                made[at % len(made)] = dice.randrange(256)
            case 1 if made:
                made[at % len(made)] ^= 1 << dice.randrange(8)
            case 2:
                del made[at : at + dice.choice([1, 1, 2, 10])]
            case 3:
                made[at:at] = bytes(dice.randrange(256) for _ in range(dice.choice([1, 1, 4])))
            case 4:
                made[at:at] = made[at : at + 20]
            case _:
                made[at:at] = dice.choice(
                    [b"\r\n", b"*", b"$", b"-1", b"\x00\x00\x00", b"\xc4", b"\x93", b"\xdd\xff\xff\xff\xff", b"*-1\r\n"]
                )
    return bytes(made)


def spoilt_calls(dice: Random) -> Script:
    """Input with mistakes in it, in pieces; whose connection that ends comes again."""
    terms = terms_of(dice)
    steps: list[Step] = []
    for number in range(dice.randint(3, 12)):
        caller = Caller(dice, number, dice.choice(["native", "resp"]))
        native = caller.door == "native"
        steps += caller.open()
        for _ in range(dice.randint(1, 4)):
            if dice.random() < 0.5:
                parts = [
                    swift_request(dice, caller) if native else swift_line(dice) for _ in range(dice.choice([1, 3, 10]))
                ]
            else:
                parts = [asked(dice, caller)] if native else said(dice)
            data = b"".join(parts)
            data = spoilt(dice, data) if dice.random() < 0.8 else data
            steps += sent(dice, number, data, 0.5)
    return Script("", terms, steps)


def packed(script: Script) -> bytes:
    """A script as the worker reads it."""
    steps = [step[:3] if step[0] == "data" else step for step in script.steps]
    data: bytes = packb({"terms": script.terms, "steps": steps})
    return data


MAKERS: Final = {"any": any_calls, "swift": swift_calls, "spoilt": spoilt_calls, "bulk": bulk_calls}
KINDS: Final = ("any", "swift", "bulk", "any", "swift", "spoilt")
