"""Numbered writes: a line makes the first, the second, the third... and what a store must hold after each is known.

So whatever the moment at which a server was killed, its store must be that of some number between the last write that
was acknowledged and the last that was sent. A write that was lost, done twice, done in half or out of its order gives a
store that is of no number at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import Factory, define, frozen

import kv_client

FAR_S = 4_102_444_800  # the year 2100
SHORT_MS = 30
CYCLE = 14
LONG = "." * 6_000  # so that files are full soon

Words = tuple[str, ...]


@define
class State:
    """What the keys of one line hold."""

    scalars: dict[str, str] = Factory(dict)
    left: list[str] = Factory(list)
    moved: list[str] = Factory(list)
    fields: dict[str, str] = Factory(dict)
    scores: dict[str, int] = Factory(dict)
    entries: list[str] = Factory(list)
    grouped: bool = False
    given: int = 0
    pending: list[str] = Factory(list)
    members: set[str] = Factory(set)

    def count(self, name: str, by: int = 1) -> None:
        self.scalars[name] = str(int(self.scalars.get(name, "0")) + by)


@frozen
class Deed:
    """One write: in the words of text clients (several are one transaction), by kv's client, and what it changes."""

    words: tuple[Words, ...]
    native: Callable[[kv_client.Client], Awaitable[Any]]
    change: Callable[[State], None]


def deed(line: str, n: int) -> Deed:
    """The write number *n* of *line*."""
    if n == 1:
        return Deed(
            (("XGROUP", "CREATE", f"{line}:x", "g", "0", "MKSTREAM"),),
            lambda c: c.xgroup_create(f"{line}:x", "g", "0", create_stream=True),
            lambda state: setattr(state, "grouped", True),
        )
    return DEEDS[n % CYCLE](line, n, str(n))


def _set(line: str, n: int, text: str) -> Deed:
    long = text + LONG

    def change(state: State) -> None:
        state.scalars["s"] = long

    return Deed((("SET", f"{line}:s", long),), lambda c: c.set(f"{line}:s", long), change)


def _incr(line: str, n: int, text: str) -> Deed:
    return Deed((("INCR", f"{line}:c"),), lambda c: c.incr(f"{line}:c"), lambda state: state.count("c"))


def _push(line: str, n: int, text: str) -> Deed:
    return Deed(
        (("LPUSH", f"{line}:l", text),), lambda c: c.lpush(f"{line}:l", n), lambda state: state.left.insert(0, text)
    )


def _move(line: str, n: int, text: str) -> Deed:
    def change(state: State) -> None:
        if state.left:
            state.moved.insert(0, state.left.pop())

    return Deed(
        (("RPOPLPUSH", f"{line}:l", f"{line}:m"),),
        lambda c: c.lmove(f"{line}:l", f"{line}:m", "RIGHT", "LEFT", default=None),
        change,
    )


def _trim(line: str, n: int, text: str) -> Deed:
    def change(state: State) -> None:
        del state.moved[3:]

    return Deed((("LTRIM", f"{line}:m", "0", "2"),), lambda c: c.ltrim(f"{line}:m", 0, 2), change)


def _block(line: str, n: int, text: str) -> Deed:
    async def native(client: kv_client.Client) -> None:
        async with client.transaction() as block:
            block.set(f"{line}:a", n)
            block.incr(f"{line}:c")
            block.hset(f"{line}:h", ("block", n))
            block.lpush(f"{line}:l", n)
            block.set(f"{line}:b", n)

    def change(state: State) -> None:
        state.scalars |= {"a": text, "b": text}
        state.count("c")
        state.fields["block"] = text
        state.left.insert(0, text)

    words = (
        ("SET", f"{line}:a", text),
        ("INCR", f"{line}:c"),
        ("HSET", f"{line}:h", "block", text),
        ("LPUSH", f"{line}:l", text),
        ("SET", f"{line}:b", text),
    )
    return Deed(words, native, change)


def _field(line: str, n: int, text: str) -> Deed:
    field = f"f{n % 5}"

    def change(state: State) -> None:
        state.fields[field] = text

    return Deed((("HSET", f"{line}:h", field, text),), lambda c: c.hset(f"{line}:h", (field, n)), change)


def _score(line: str, n: int, text: str) -> Deed:
    member = f"m{n % 5}"

    def change(state: State) -> None:
        state.scores[member] = n

    return Deed((("ZADD", f"{line}:z", text, member),), lambda c: c.zadd(f"{line}:z", (n, member)), change)


def _entry(line: str, n: int, text: str) -> Deed:
    return Deed(
        (("XADD", f"{line}:x", f"{n}-1", "n", text),),
        lambda c: c.xadd(f"{line}:x", ("n", n), id=f"{n}-1"),
        lambda state: state.entries.append(f"{n}-1"),
    )


def _read(line: str, n: int, text: str) -> Deed:
    def change(state: State) -> None:
        if state.given < len(state.entries):
            state.pending.append(state.entries[state.given])
            state.given += 1

    words = "XREADGROUP", "GROUP", "g", "me", "COUNT", "1", "STREAMS", f"{line}:x", ">"
    return Deed((words,), lambda c: c.xreadgroup("g", "me", (f"{line}:x", ">"), count=1), change)


def _ack(line: str, n: int, text: str) -> Deed:
    """The entry of this cycle in two of three cycles."""
    entry = f"{n - (n - ENTRY) % CYCLE}-1" if n // CYCLE % 3 else "1-0"

    def change(state: State) -> None:
        if entry in state.pending:
            state.pending.remove(entry)

    return Deed((("XACK", f"{line}:x", "g", entry),), lambda c: c.xack(f"{line}:x", "g", entry), change)


def _add(line: str, n: int, text: str) -> Deed:
    return Deed(
        (("SADD", f"{line}:t", text),), lambda c: c.sadd(f"{line}:t", text), lambda state: state.members.add(text)
    )


def _remove(line: str, n: int, text: str) -> Deed:
    """What an earlier cycle added."""
    member = str(n - (n - ADD) % CYCLE - 2 * CYCLE)
    return Deed(
        (("SREM", f"{line}:t", member),), lambda c: c.srem(f"{line}:t", member), lambda s: s.members.discard(member)
    )


def _lasting(line: str, n: int, text: str) -> Deed:
    """A key with a deadline that is far, every other time; else it is deleted."""
    if n // CYCLE & 1:
        return Deed(
            (("DEL", f"{line}:d"),), lambda c: c.delete(f"{line}:d"), lambda state: _forget(state.scalars, "d", "e")
        )

    def change(state: State) -> None:
        state.scalars |= {"d": text, "e": str(FAR_S + n)}

    words = "SET", f"{line}:d", text, "EXAT", str(FAR_S + n)
    return Deed((words,), lambda c: c.set(f"{line}:d", n, expires_at=float(FAR_S + n)), change)


def _forget(names: dict[str, str], *gone: str) -> None:
    for name in gone:
        names.pop(name, None)


def _short(line: str, n: int, text: str) -> Deed:
    """A key that nobody may see any more after the next start."""
    return Deed(
        (("SET", f"{line}:short", text, "PX", str(SHORT_MS)),),
        lambda c: c.set(f"{line}:short", n, ttl=SHORT_MS / 1000),
        lambda state: None,
    )


DEEDS: list[Callable[[str, int, str], Deed]] = [
    _set, _incr, _push, _move, _block, _field, _score, _entry, _read, _ack, _add, _remove, _lasting, _short,
]  # fmt: skip
ENTRY = DEEDS.index(_entry)
ADD = DEEDS.index(_add)
assert len(DEEDS) == CYCLE


# ---- what a store holds, asked over the text door
def questions(line: str) -> list[Words]:
    return [
        ("MGET", *(f"{line}:{name}" for name in ("s", "c", "a", "b", "d"))),
        ("EXPIRETIME", f"{line}:d"),
        ("LRANGE", f"{line}:l", "0", "-1"),
        ("LRANGE", f"{line}:m", "0", "-1"),
        ("HGETALL", f"{line}:h"),
        ("ZRANGE", f"{line}:z", "0", "-1", "WITHSCORES"),
        ("XRANGE", f"{line}:x", "-", "+"),
        ("XPENDING", f"{line}:x", "g", "-", "+", "100000"),
        ("XINFO", "GROUPS", f"{line}:x"),
        ("SMEMBERS", f"{line}:t"),
    ]


def read_state(answers: list[Any]) -> State:
    """What the *answers* to `questions` say."""
    state = State()
    scalars, expires, left, moved, fields, scores, entries, pending, groups, members = answers
    state.scalars = {name: text for name, text in zip("scabd", scalars, strict=True) if text is not None}
    if expires >= 0:
        state.scalars["e"] = str(expires)
    state.left, state.moved = list(left), list(moved)
    state.fields = dict(zip(fields[::2], fields[1::2], strict=True))
    state.scores = {name: int(score) for name, score in zip(scores[::2], scores[1::2], strict=True)}
    state.members = set(members)
    if type(entries) is list:
        state.entries = [entry for entry, _ in entries]
    if type(groups) is list and groups:
        told = dict(zip(groups[0][::2], groups[0][1::2], strict=True))
        last = told["last-delivered-id"]
        state.grouped = True
        state.given = state.entries.index(last) + 1 if last != "0-0" else 0
        state.pending = [row[0] for row in pending]
    return state
