"""A store, or what became of it, as lines of JSON: what `dump` prints and `load` reads.

The first line is the head of a part: which store, at which revision, at what time. Then comes one line for each key,
lock and session of a state (and for each namespace without locks, which may be empty), or for each commit of a log, and
at last the end, which says how many lines there were. Parts may follow each other: a log goes on from a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from kv_server.durability.disk import Disk
from kv_server.durability.forms import (
    Form,
    Malformed,
    collection,
    collection_form,
    effect,
    effect_form,
    name,
    name_form,
    plain,
    plain_form,
    value,
    value_form,
)
from kv_server.durability.frames import BLOCK, END, Damage, Frame, Stamp, read_frames
from kv_server.durability.journal import FORMAT, Origin
from kv_server.durability.recovery import objects_of, rows_of
from kv_server.durability.snapshot import COLLECTIONS, LOCKS, SCALARS, SESSIONS
from kv_server.durability.survey import Unreadable, head_of
from kv_server.engine.logged import Row
from kv_server.engine.session import EVERYBODY
from kv_server.model.dump import checked
from kv_server.model.entry import KINDS, SCALAR

__all__ = [
    "Head", "commit_line", "commit_of", "end_of", "head_line", "lines_of", "lines_of_file", "read_head", "thing_of",
]  # fmt: skip

_KIND_OF: Final = {word: kind for kind, word in KINDS.items()}


class Head(NamedTuple):
    """What the lines up to the next end are: a `state` at a revision, or a `log` after it."""

    part: str
    origin: Origin
    revision: int
    now_ms: int
    elapsed_ms: int


def head_line(part: str, origin: Origin, stamp: Stamp) -> Form:
    """The first line of a part."""
    return {
        "kv": FORMAT,
        "part": part,
        "revision": stamp.revision,
        "epoch": origin.epoch,
        "seed": origin.seed.hex(),
        "shards": origin.shards,
        "now_ms": stamp.now_ms,
        "elapsed_ms": stamp.elapsed_ms,
    }


def read_head(form: Form) -> Head:
    """The head that a line is. Raises `Malformed`."""
    if type(form) is not dict or form.get("part") not in ("state", "log"):
        raise Malformed("the first line must be the head that `kv-server dump` prints")
    if type(form["kv"]) is not int or form["kv"] > FORMAT:
        raise Malformed(f"lines of format {form['kv']}; this version reads formats up to {FORMAT}")
    origin = Origin(_whole(form["epoch"]), bytes.fromhex(form["seed"]), _whole(form["shards"]))
    return Head(form["part"], origin, *(_whole(form[each]) for each in ("revision", "now_ms", "elapsed_ms")))


def end_of(form: Form) -> int | None:
    """How many lines the part had that ends with this one; None if it is no end."""
    return _whole(form["end"]) if "end" in form else None


# ---- the things of a snapshot
def lines_of(thing: list[Any]) -> Iterator[Form]:
    """The lines of one thing that a snapshot says."""
    kind = thing[0]
    if kind == SCALARS:
        _, space, _, keys, values, versions, expiries = thing
        called = name_form(space)
        for key, blob, version, expires_ms in zip(keys, values, versions, expiries, strict=True):
            yield _entry(called, key, "scalar", value_form(blob), version, expires_ms)
    elif kind == COLLECTIONS:
        called = name_form(thing[1])
        for of, key, found, version, expires_ms in thing[3]:
            form = value_form(found) if of == SCALAR else collection_form(of, found)
            yield _entry(called, key, KINDS[of], form, version, expires_ms)
    elif kind == LOCKS:
        called = name_form(thing[1])
        if not thing[2]:
            yield {"namespace": called}
        for lock, *rest, keys in thing[2]:
            bound = [[name_form(key), version] for key, version in keys.items()]
            line = {"lock": name_form(lock), "namespace": called, **dict(zip(_OF_LOCKS, rest, strict=True))}
            yield line | {"keys": bound} if bound else line
    else:
        yield from map(_session, thing[1])


_OF_LOCKS: Final = ("token", "holder", "owner", "granted_ms", "until_ms", "renewals", "most")


def _entry(called: Form, key: bytes, kind: str, form: Form, version: int, expires_ms: int) -> Form:
    line = {"key": name_form(key), "namespace": called, "type": kind, "value": form, "version": version}
    return line | {"expires_ms": expires_ms} if expires_ms else line


def _session(row: list[Any]) -> Form:
    number, secret, client, space, seen, answers, *user = row
    return {
        "session": number,
        "secret": plain_form(secret),
        "client": client,
        "namespace": name_form(space),
        "seen": seen,
        "answers": [[seq, plain_form(reply), lost_at, size] for seq, reply, lost_at, size in answers],
        "user": user[0] if user else EVERYBODY.user,
    }


def thing_of(form: Form) -> list[Any]:
    """What a snapshot would say of the key, lock, session or namespace of a line. Raises `Malformed`, or what comes of
    bad types.
    """
    space = name(form["namespace"])
    if "key" in form:
        kind = _KIND_OF[form["type"]]
        found = value(form["value"]) if kind == SCALAR else checked(kind, collection(kind, form["value"]))
        row = [kind, name(form["key"]), found, _whole(form["version"]), _whole(form.get("expires_ms", 0))]
        return [COLLECTIONS, space, 0, [row]]
    if "lock" in form:
        token, holder, owner, *times = (form[each] for each in _OF_LOCKS)
        keys = {name(key): _whole(version) for key, version in form.get("keys", ())}
        row = [name(form["lock"]), _whole(token), _whole(holder), str(owner), *map(_whole, times), keys]
        return [LOCKS, space, [row]]
    if "session" not in form:
        return [LOCKS, space, []]
    answers = [[_whole(seq), plain(reply), lost_at, _whole(size)] for seq, reply, lost_at, size in form["answers"]]
    secret = plain(form["secret"])
    if type(secret) is not bytes:
        raise Malformed("a session's secret must be base64")
    row = [_whole(form["session"]), secret, str(form["client"]), space, _whole(form["seen"]), answers]
    return [SESSIONS, [[*row, str(form.get("user", EVERYBODY.user))]]]


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise Malformed(f"{number!r:.60} is no whole number from 0")
    return number


# ---- commits
def commit_line(row: Row) -> Form:
    """The line of a commit."""
    revision, now_ms, elapsed_ms, space, effects = row
    return {
        "commit": revision,
        "now_ms": now_ms,
        "elapsed_ms": elapsed_ms,
        "namespace": name_form(space),
        "effects": list(map(effect_form, effects)),
    }


def commit_of(form: Form) -> Row:
    """The commit of a line: revision, both clocks, namespace, effects. Raises `Malformed`."""
    revision, now_ms, elapsed_ms = (_whole(form[each]) for each in ("commit", "now_ms", "elapsed_ms"))
    return revision, now_ms, elapsed_ms, name(form["namespace"]), list(map(effect, form["effects"]))


# ---- files
def lines_of_file(disk: Disk, file: str) -> Iterator[Form]:
    """The lines of a log or a snapshot. Raises `Damage` after what could be read, `Unreadable` if it is neither."""
    count = end = 0
    log, ended = True, False
    try:
        for frame in read_frames(disk, file):
            end, ended = frame.end, frame.kind == END
            if not frame.at:
                origin, revision = head_of(file, frame)
                log = file.startswith("log")
                yield head_line("log" if log else "state", origin, frame.stamp._replace(revision=revision))
            elif not ended:
                for line in _block_lines(frame) if frame.kind == BLOCK else map(commit_line, rows_of(frame)):
                    count += 1
                    yield line
    except Damage as damage:
        if not end:
            raise Unreadable(f"{file} is no file of kv, or its head is damaged: {damage.why}") from damage
        if not damage.torn or not log:
            raise
    if not end or not (ended or log):
        raise Damage(file, end, "the end is missing", torn=False)
    yield {"end": count}


def _block_lines(frame: Frame) -> Iterable[Form]:
    for thing in objects_of(frame):
        yield from lines_of(thing)
