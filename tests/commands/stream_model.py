"""Streams and their groups said once more, on plain lists: what the server must answer. Ids are pairs of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.commands.plain import Fails

Id = tuple[int, int]
TOP = 2**64 - 1
NO_ID: Id = (0, 0)


def spelled(id: Id) -> str:
    return f"{id[0]}-{id[1]}"


def read_id(word: str, missing: int = 0) -> Id:
    ms, dash, sequence = word.partition("-")
    if not ms.isdigit() or (dash and not sequence.isdigit()) or int(ms) > TOP or int(sequence or 0) > TOP:
        raise Fails("INVALID")
    return int(ms), int(sequence) if dash else missing


def bound(word: str, missing: int, step: int) -> Id:
    """An end of a range; one that is excluded moves by *step*."""
    if word in ("-", "+"):
        return NO_ID if word == "-" else (TOP, TOP)
    if not word.startswith("("):
        return read_id(word, missing)
    ms, sequence = read_id(word[1:], missing)
    number = (ms << 64 | sequence) + step
    if not 0 <= number < 1 << 128:
        raise Fails("INVALID")
    return number >> 64, number & TOP


class Held:
    """An entry in a consumer's hands."""

    def __init__(self, consumer: bytes, delivered: int, count: int) -> None:
        self.consumer = consumer
        self.delivered = delivered
        self.count = count


class Team:
    """A group."""

    def __init__(self, last: Id) -> None:
        self.last = last
        self.held: dict[Id, Held] = {}
        self.seen: dict[bytes, tuple[int, int | None]] = {}


class Log:
    """A stream."""

    def __init__(self) -> None:
        self.entries: list[tuple[Id, dict[bytes, Any]]] = []
        self.last = NO_ID
        self.added = 0
        self.deleted = NO_ID
        self.teams: dict[bytes, Team] = {}

    def fields(self, id: Id) -> dict[bytes, Any] | None:
        return next((fields for at, fields in self.entries if at == id), None)


class Streams:
    """A namespace of streams, and of *others*, which are none."""

    def __init__(self, now: int, others: Iterable[bytes]) -> None:
        self.now = now
        self.logs: dict[bytes, Log] = {}
        self.others = frozenset(others)

    def find(self, key: bytes) -> Log | None:
        if key in self.others:
            raise Fails("WRONG_TYPE")
        return self.logs.get(key)

    def team(self, key: bytes, group: bytes) -> tuple[Log, Team]:
        log = self.find(key)
        if log is None or group not in log.teams:
            raise Fails("NOT_FOUND")
        return log, log.teams[group]

    # ---- entries
    def cut(self, log: Log, max_length: Any, min_id: Any, nearly: bool, limit: Any) -> int:
        surplus = 0
        if max_length is not None:
            surplus = max(0, len(log.entries) - max_length)
        elif min_id is not None:
            surplus = len([id for id, _ in log.entries if id < read_id(min_id)])
        if nearly:
            surplus = min(surplus, {None: 10_000, 0: surplus}.get(limit, limit))
            if surplus < len(log.entries):
                surplus -= surplus % 100
        del log.entries[:surplus]
        return surplus

    def check_cut(self, max_length: Any, min_id: Any, nearly: bool, limit: Any) -> None:
        if min_id is not None:
            read_id(min_id)
        if limit is not None and (not nearly if (max_length, min_id) != (None, None) else limit):
            raise Fails("INVALID")

    def xadd(
        self, key: bytes, *fields: tuple[bytes, Any], id: str = "*", create: bool = True, max_length: Any = None,
        min_id: Any = None, nearly: bool = False, limit: Any = None,
    ) -> Any:  # fmt: skip
        self.check_cut(max_length, min_id, nearly, limit)
        if id != "*" and (read_id(id.removesuffix("-*")) == NO_ID and not id.endswith("-*")):
            raise Fails("INVALID")
        log = self.find(key)
        if log is None and not create:
            return None
        log = log or Log()
        ms, sequence = log.last
        if id == "*":
            new = (self.now, 0) if self.now > ms else (ms, sequence + 1)
        elif id.endswith("-*"):
            new = (int(id[:-2]), sequence + 1 if int(id[:-2]) == ms else 0)
        else:
            new = read_id(id)
        if new <= log.last or log.last == (TOP, TOP):
            raise Fails("INVALID")
        self.logs[key] = log
        log.entries.append((new, dict(fields)))
        log.last = new
        log.added += 1
        self.cut(log, max_length, min_id, nearly, limit)
        return spelled(new)

    def xtrim(
        self, key: bytes, *, max_length: Any = None, min_id: Any = None, nearly: bool = False, limit: Any = None
    ) -> int:
        self.check_cut(max_length, min_id, nearly, limit)
        if max_length is None and min_id is None:
            raise Fails("INVALID")
        log = self.find(key)
        return 0 if log is None else self.cut(log, max_length, min_id, nearly, limit)

    def xdel(self, key: bytes, *ids: str) -> int:
        log = self.find(key)
        if log is None:
            return 0
        gone = {read_id(id) for id in ids} & {id for id, _ in log.entries}
        log.entries = [entry for entry in log.entries if entry[0] not in gone]
        log.deleted = max(log.deleted, *gone) if gone else log.deleted
        return len(gone)

    def xsetid(self, key: bytes, last: str, *, entries_added: Any = None, max_deleted_id: Any = None) -> None:
        id, deleted = read_id(last), read_id(max_deleted_id or "0")
        if id < deleted or (entries_added is not None and entries_added < 0):
            raise Fails("INVALID")
        log = self.find(key)
        if log is None:
            raise Fails("NOT_FOUND")
        if log.entries and (id < log.entries[-1][0] or (entries_added or TOP) < len(log.entries)):
            raise Fails("INVALID")
        if log.entries and entries_added == 0:
            raise Fails("INVALID")
        log.last = id
        log.added = log.added if entries_added is None else entries_added
        log.deleted = deleted if deleted != NO_ID else log.deleted

    def xlen(self, key: bytes) -> int:
        log = self.find(key)
        return len(log.entries) if log else 0

    def xrange(self, key: bytes, start: str, end: str, *, count: Any = None) -> Any:
        low, high = bound(start, 0, 1), bound(end, TOP, -1)
        log = self.find(key)
        found = [(spelled(id), fields) for id, fields in (log.entries if log else ()) if low <= id <= high]
        return found if count is None else found[: max(count, 0)]

    def xrevrange(self, key: bytes, end: str, start: str, *, count: Any = None) -> Any:
        found = self.xrange(key, start, end)[::-1]
        return found if count is None else found[: max(count, 0)]

    def xread(self, *streams: tuple[bytes, str], count: Any = None) -> Any:
        starts = []
        for key, after in streams:
            log = self.find(key)
            starts.append((log.last if log else NO_ID) if after == "$" else read_id(after))
        found: dict[bytes, list[Any]] = {}
        for (key, _), start in zip(streams, starts, strict=True):
            fresh = [
                (spelled(id), fields)
                for id, fields in (self.logs[key].entries if key in self.logs else ())
                if id > start
            ]
            if fresh:
                found.setdefault(key, []).extend(fresh[:count])
        return found or None

    def xinfo_stream(self, key: bytes) -> Any:
        log = self.find(key)
        if log is None:
            raise Fails("NOT_FOUND")
        ends = (
            [(spelled(id), fields) for id, fields in (log.entries[0], log.entries[-1])] if log.entries else [None, None]
        )
        first = log.entries[0][0] if log.entries else NO_ID
        return (
            len(log.entries), spelled(log.last), spelled(log.deleted), log.added, spelled(first), len(log.teams), *ends,
        )  # fmt: skip

    # ---- groups
    def known_stream(self, key: bytes) -> Log:
        log = self.find(key)
        if log is None:
            raise Fails("NOT_FOUND")
        return log

    def xgroup_create(
        self, key: bytes, group: bytes, id: str, *, create_stream: bool = False, entries_read: Any = None
    ) -> None:
        if entries_read is not None and entries_read < -1:
            raise Fails("INVALID")
        log = self.find(key)
        if log is None and not create_stream:
            raise Fails("NOT_FOUND")
        log = log or Log()
        start = log.last if id == "$" else read_id(id)
        if group in log.teams:
            raise Fails("CONDITION")
        log.teams[group] = Team(start)
        self.logs[key] = log

    def xgroup_setid(self, key: bytes, group: bytes, id: str, *, entries_read: Any = None) -> None:
        if entries_read is not None and entries_read < -1:
            raise Fails("INVALID")
        log, team = self.team(key, group)
        team.last = log.last if id == "$" else bound(id, 0, 0) if id in ("-", "+") else read_id(id)

    def xgroup_destroy(self, key: bytes, group: bytes) -> bool:
        return self.known_stream(key).teams.pop(group, None) is not None

    def xgroup_createconsumer(self, key: bytes, group: bytes, consumer: bytes) -> bool:
        _, team = self.team(key, group)
        if consumer in team.seen:
            return False
        team.seen[consumer] = self.now, None
        return True

    def xgroup_delconsumer(self, key: bytes, group: bytes, consumer: bytes) -> int:
        _, team = self.team(key, group)
        team.seen.pop(consumer, None)
        own = [id for id, held in team.held.items() if held.consumer == consumer]
        for id in own:
            del team.held[id]
        return len(own)

    def xreadgroup(
        self, group: bytes, consumer: bytes, *streams: tuple[bytes, str], count: Any = None, no_ack: bool = False
    ) -> Any:
        for key, after in streams:
            self.team(key, group)
            if after != ">":
                read_id(after)
        found: dict[bytes, list[Any]] = {}
        for key, after in streams:
            log, team = self.team(key, group)
            if after == ">":
                fresh = [entry for entry in log.entries if entry[0] > team.last][:count]
                if fresh:
                    found.setdefault(key, []).extend((spelled(id), fields) for id, fields in fresh)
                    team.seen[consumer] = self.now, self.now
                    team.last = fresh[-1][0]
                    if not no_ack:
                        team.held |= {id: Held(consumer, self.now, 1) for id, _ in fresh}
                continue
            own = sorted(id for id, held in team.held.items() if held.consumer == consumer and id > read_id(after))[
                :count
            ]
            found.setdefault(key, []).extend((spelled(id), log.fields(id) or {}) for id in own)
            for id in own:
                if log.fields(id) is not None:
                    team.held[id] = Held(consumer, self.now, team.held[id].count + 1)
            team.seen[consumer] = self.now, self.now if own else team.seen.get(consumer, (0, None))[1]
        return found or None

    def xack(self, key: bytes, group: bytes, *ids: str) -> int:
        log = self.find(key)
        team = log.teams.get(group) if log else None
        if team is None:
            return 0
        return len([team.held.pop(id) for id in {read_id(word) for word in ids} if id in team.held])

    def xpending(self, key: bytes, group: bytes) -> Any:
        _, team = self.team(key, group)
        ids = sorted(team.held)
        consumers = [held.consumer for held in team.held.values()]
        counts = {name: consumers.count(name) for name in consumers}
        return len(ids), spelled(ids[0]) if ids else None, spelled(ids[-1]) if ids else None, counts

    def xpendingrange(
        self, key: bytes, group: bytes, start: str = "-", end: str = "+", *, count: int = 100, consumer: Any = None,
        min_idle: int = 0,
    ) -> Any:  # fmt: skip
        low, high = bound(start, 0, 1), bound(end, TOP, -1)
        _, team = self.team(key, group)
        return [
            (spelled(id), held.consumer, self.now - held.delivered, held.count)
            for id, held in sorted(team.held.items())
            if low <= id <= high and consumer in (None, held.consumer) and self.now - held.delivered >= min_idle
        ][:count]

    def give(self, log: Log, team: Team, id: Id, consumer: bytes, delivered: int, count: int, ids_only: bool) -> Any:
        team.held[id] = Held(consumer, delivered, count)
        team.seen[consumer] = self.now, self.now
        return spelled(id), {} if ids_only else log.fields(id)

    def xclaim(
        self, key: bytes, group: bytes, consumer: bytes, min_idle: int, *ids: str, idle: Any = None,
        delivered_at: Any = None, deliveries: Any = None, force: bool = False, ids_only: bool = False,
        last_id: Any = None,
    ) -> Any:  # fmt: skip
        log, team = self.team(key, group)
        wanted = [read_id(word) for word in ids]
        team.last = max(team.last, read_id(last_id or "0"))
        delivered = delivered_at if delivered_at is not None else self.now - (idle or 0)
        delivered = delivered if 0 <= delivered <= self.now else self.now
        claimed = []
        for id in wanted:
            held = team.held.get(id)
            if log.fields(id) is None:
                team.held.pop(id, None)
            elif self.now - held.delivered >= min_idle if held else force:
                count = deliveries if deliveries is not None else (held.count if held else 1) + (not ids_only)
                claimed.append(self.give(log, team, id, consumer, delivered, count, ids_only))
        return claimed

    def xautoclaim(
        self, key: bytes, group: bytes, consumer: bytes, min_idle: int, start: str, *, count: int = 100,
        ids_only: bool = False,
    ) -> Any:  # fmt: skip
        low = bound(start, 0, 1)
        log, team = self.team(key, group)
        claimed, gone, cursor = [], [], NO_ID
        for looked, (id, held) in enumerate((i, h) for i, h in sorted(team.held.items()) if i >= low):
            if looked == 10 * count or len(claimed) + len(gone) == count:
                cursor = id
                break
            if log.fields(id) is None:
                del team.held[id]
                gone.append(spelled(id))
            elif self.now - held.delivered >= min_idle:
                claimed.append(self.give(log, team, id, consumer, self.now, held.count + (not ids_only), ids_only))
        return spelled(cursor), claimed, gone

    def xinfo_groups(self, key: bytes) -> Any:
        log = self.known_stream(key)
        return [(name, len(team.seen), len(team.held), spelled(team.last)) for name, team in sorted(log.teams.items())]

    def xinfo_consumers(self, key: bytes, group: bytes) -> Any:
        _, team = self.team(key, group)
        holders = [held.consumer for held in team.held.values()]
        return [
            (name, holders.count(name), self.now - seen, None if active is None else self.now - active)
            for name, (seen, active) in sorted(team.seen.items())
        ]
