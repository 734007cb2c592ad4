"""A crowd of real clients that writes until the server dies, and what each of them knows: what it sent, what it heard.

Native clients and text clients make numbered writes (`deeds`), each line of them in order; others take and give back
locks. `check` compares what a store holds with what the crowd knows, and lets it go on from there.
"""

from __future__ import annotations

from typing import Any

import trio
from attrs import Factory, define

import kv_client
from kv_protocol.errors import KvError
from tests.faults.deeds import CYCLE, State, deed, questions, read_state
from tests.faults.durable import Keeper
from tests.faults.text_caller import TextCaller, packed
from tests.redis.client import Connection, Reply

NATIVE_CLIENTS = 3
NATIVE_LINES = 32  # of each of these clients, each with one write under way
TEXT_LINES = 4
PIPELINE = 12
LOCKS = 4
LEASE_MS = 600_000
BEAT_S = 0.002
MULTI, EXEC = ("MULTI",), ("EXEC",)


@define(eq=False)
class Line:
    """One client's writes, in order. What is acknowledged has come back; what was sent may have been done."""

    name: str
    sent: int = 0
    acked: int = 0
    heard: list[tuple[float, int]] = Factory(list)
    """When which write was acknowledged, in this life of the server."""
    base: int = 0
    state: State = Factory(State)
    """The state after `base` writes."""
    version: tuple[int, int] = (0, 0)
    """The last plain SET that was acknowledged: its number, and the version that was told."""

    def hear(self, n: int) -> None:
        self.acked = n
        self.heard.append((trio.current_time(), n))


@define(eq=False)
class Holder:
    """One client's lock: the token it was told last, whether it has asked to give it back, and whether that is sure."""

    name: str
    token: int = 0
    asking: bool = False
    releasing: bool = False


@define(eq=False)
class Crowd:
    """All clients of one folder through all lives of its server."""

    keeper: Keeper
    lines: list[Line] = Factory(list)
    holders: list[Holder] = Factory(list)
    told: set[int] = Factory(set)
    """Every version and token that anybody was told: none may come twice."""
    wrong: list[str] = Factory(list)
    saves: int = 0
    lag_s: float = 0.0
    """The longest time for which this process kept its own tasks waiting: so late an answer may have been heard."""
    stopping: bool = False
    """The server is told to stop: that somebody is refused is no fault."""
    forcing: bool = True
    """Somebody takes locks and asks for snapshots, which makes the server sync more often than its mode does."""

    def __attrs_post_init__(self) -> None:
        self.lines = [Line(f"n{number}") for number in range(NATIVE_CLIENTS * NATIVE_LINES)]
        self.lines += [Line(f"r{number}") for number in range(TEXT_LINES)]
        self.holders = [Holder(f"lock{number}") for number in range(LOCKS)]

    @property
    def acked(self) -> int:
        return sum(line.acked for line in self.lines)

    @property
    def in_flight(self) -> int:
        return sum(line.sent - line.acked for line in self.lines)

    # ---- writing
    async def write(self) -> None:
        """Write until cancelled, or until the server is gone and nobody can go on."""
        self.lag_s = 0.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_lag)
            natives = self.lines[: NATIVE_CLIENTS * NATIVE_LINES]
            for at in range(0, len(natives), NATIVE_LINES):
                nursery.start_soon(self._native_client, natives[at : at + NATIVE_LINES])
            for line in self.lines[len(natives) :]:
                nursery.start_soon(self._text_client, line)
            if self.forcing:
                for holder in self.holders:
                    nursery.start_soon(self._lock_client, holder)
                nursery.start_soon(self._saver)

    async def _watch_lag(self) -> None:
        while True:
            due = trio.current_time() + BEAT_S
            await trio.sleep_until(due)
            self.lag_s = max(self.lag_s, trio.current_time() - due)

    async def _native_client(self, mine: list[Line]) -> None:
        async with kv_client.connect(self.keeper.url(), timeout=20) as client, trio.open_nursery() as nursery:
            for line in mine:
                nursery.start_soon(self._native_line, client, line)

    async def _native_line(self, client: kv_client.Client, line: Line) -> None:
        while True:
            n = line.sent + 1
            line.sent = n
            try:
                reply = await deed(line.name, n).native(client)
            except KvError as error:
                self._refused(line.name, error)
                return
            line.hear(n)
            if n % CYCLE == 0:
                if reply <= line.version[1]:
                    self.wrong.append(f"{line.name} {n}: version {reply} comes after {line.version[1]}")
                line.version = n, reply
                self._note(line.name, reply)

    async def _text_client(self, line: Line) -> None:
        caller = await TextCaller.dial(self.keeper.port)
        async with caller.stream:
            try:
                while True:
                    await self._text_round(caller, line)
            except (EOFError, trio.BrokenResourceError):
                return

    async def _text_round(self, caller: TextCaller, line: Line) -> None:
        first = line.sent + 1
        calls: list[tuple[int, tuple[tuple[str, ...], ...]]] = []
        for n in range(first, first + PIPELINE):
            block = deed(line.name, n).words
            calls.append((n, block if len(block) == 1 else (MULTI, *block, EXEC)))
        line.sent = first + PIPELINE - 1
        await caller.stream.send_all(b"".join(packed(*words) for _, block in calls for words in block))
        for n, block in calls:
            for words in block:
                reply = await caller.hear()
                if type(reply) is str and reply.startswith("-"):
                    self._refused(f"{line.name} {n} {words}", reply)
                    raise EOFError
            line.hear(n)

    async def _lock_client(self, holder: Holder) -> None:
        caller = await TextCaller.dial(self.keeper.port)
        async with caller.stream:
            try:
                while True:
                    if not holder.token:
                        holder.asking = True
                        reply: Any = await caller.ask("LOCK", holder.name, "PX", str(LEASE_MS), "WAIT", "0")
                        if type(reply) is not list:
                            self._refused(holder.name, reply)
                            return
                        holder.token, holder.asking = reply[0], False
                        self._note(holder.name, holder.token)
                    holder.releasing = True
                    reply = await caller.ask("UNLOCK", holder.name, str(holder.token))
                    if type(reply) is str and reply.startswith("-"):
                        self._refused(holder.name, reply)
                        return
                    holder.token, holder.releasing = 0, False
            except (EOFError, trio.BrokenResourceError):
                return

    async def _saver(self) -> None:
        """Asks for one snapshot after the other."""
        caller = await TextCaller.dial(self.keeper.port)
        async with caller.stream:
            try:
                while True:
                    await caller.ask("SAVE")
                    self.saves += 1
            except (EOFError, trio.BrokenResourceError):
                return

    def _refused(self, name: str, reason: object) -> None:
        if not self.stopping:
            self.wrong.append(f"{name}: {reason!r}")

    def _note(self, name: str, number: int) -> None:
        if number in self.told:
            self.wrong.append(f"{name} was told {number}, and so was somebody before")
        self.told.add(number)

    # ---- checking
    async def check(self, *, forgiven_s: float | None = None) -> int:
        """Compare what the server holds with what the crowd knows. Return how many acknowledged writes were lost: none,
        or with *forgiven_s* some of so many seconds before the last that anybody can have been sent.
        """
        last = max((line.heard[-1][0] for line in self.lines if line.heard), default=0.0)
        connection = Connection(self.keeper.port)
        lost = 0
        try:
            for line in self.lines:
                least = line.acked
                if forgiven_s is not None:
                    known = [n for at, n in line.heard if at < last - forgiven_s - self.lag_s]
                    least = known[-1] if known else line.base
                lost += self._check_line(connection, line, least)
            self._check_locks(connection)
            await self._check_versions()
        finally:
            connection.close()
        assert not self.wrong, "\n".join(self.wrong[:10])
        return lost

    def _check_line(self, connection: Connection, line: Line, least: int) -> int:
        """Find the number of writes that the store holds of *line*; how many it has less than were acknowledged."""
        found = read_state([plain(reply) for reply in connection.pipeline(_octets(questions(line.name)))])
        if plain(connection.call(b"EXISTS", f"{line.name}:short".encode())) != 0:
            self.wrong.append(f"{line.name}: a key is there although its time is over")
        state, matched = line.state, None
        for n in range(line.base, line.sent + 1):
            if n > line.base:
                deed(line.name, n).change(state)
            if n >= least and state == found:
                matched = n
                break
        if matched is None:
            self.wrong.append(
                f"{line.name}: the store is of no number from {least} (acknowledged {line.acked}) to {line.sent}: "
                f"{found} instead of {state}"
            )
            return 0
        lost = max(0, line.acked - matched)
        if matched < line.version[0]:
            line.version = (0, line.version[1])
        line.base = line.sent = line.acked = matched
        line.heard.clear()
        return lost

    def _check_locks(self, connection: Connection) -> None:
        held = {row[0]: row[1] for row in plain(connection.call(b"LOCKS"))}
        for holder in self.holders:
            token = held.get(holder.name, 0)
            if holder.token and token != holder.token and not (holder.releasing and not token):
                self.wrong.append(f"{holder.name} was held under {holder.token}, and now it is under {token}")
            if token and not holder.token and not holder.asking:
                self.wrong.append(f"{holder.name} was given back, and is held under {token}")
            if token and token != holder.token:
                self._note(holder.name, token)
            holder.token, holder.asking, holder.releasing = token, False, False

    async def _check_versions(self) -> None:
        """A key that nobody has written since has the version that was told."""
        told = {
            f"{line.name}:s": line.version[1]
            for line in self.lines
            if line.version[0] and line.base - line.version[0] < CYCLE
        }
        async with kv_client.connect(self.keeper.url(), timeout=20) as client:
            async with client.batch() as batch:
                entries = {key: batch.get_entry(key) for key in told}
        for key, version in told.items():
            entry = entries[key].result()
            if entry is None or entry.version != version:
                self.wrong.append(f"{key} was told to have version {version}, and is {entry}")


def _octets(calls: list[tuple[str, ...]]) -> list[tuple[bytes, ...]]:
    return [tuple(word.encode() for word in words) for words in calls]


def plain(reply: Reply) -> Any:
    """A reply as Python has it; an error is text that begins with a dash."""
    kind, value = reply
    if kind == "error":
        assert isinstance(value, bytes)
        return "-" + value.decode()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value
