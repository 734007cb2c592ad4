"""What holds for every command there is, and for the next one: arguments are drawn from the command's own signature."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import Packer, unpackb

from kv_protocol.errors import KvError
from kv_protocol.messages import SEQ
from kv_protocol.names import wire
from kv_server.commands import CATALOG
from kv_server.engine.engine import PARKED
from kv_server.spec.command import Command, Door, Flag
from kv_server.spec.types import TYPES
from tests.engine.profile import AS_FOUND, examples
from tests.engine.rig import kept_answers, picture, readable, recount, replayed
from tests.laws.arguments import ROWS, Stage, draw_arguments, execute, spoil, state
from tests.laws.fitting import as_octets, fits, unpacked

every_command = pytest.mark.parametrize("command", CATALOG, ids=lambda command: command.name)
native_commands = pytest.mark.parametrize(
    "command", [c for c in CATALOG if Door.NATIVE in c.declaration.doors], ids=lambda command: command.name
)
laws = settings(max_examples=examples(max(4, 1_000 // len(CATALOG))), phases=AS_FOUND)


def of(flag: Flag) -> Any:
    chosen = [command for command in CATALOG if command.flags & flag]
    return pytest.mark.parametrize("command", chosen, ids=lambda command: command.name)


@of(Flag.READ)
@laws
@given(data=st.data())
def test_a_read_leaves_no_effect(command: Command, data: st.DataObject) -> None:
    stage = Stage()
    args, options = draw_arguments(data.draw, command, stage)
    before = picture(stage.rig.store)
    execute(stage, command, args, options, {SEQ: 1})
    swept = {row for row in stage.new_rows() if row[0] == 0x12 and row[2] == 1}
    assert set(stage.new_rows()) == swept, "nothing but expiry may show"
    assert swept == set() or command.flags & Flag.SWEEPS
    after = picture(stage.rig.store)
    for space, (keys, locks) in before.items():
        lasting = {key: entry for key, entry in keys.items() if not 0 < entry[3] <= stage.rig.engine.now_ms}
        assert after[space][1] == locks
        assert {key: entry for key, entry in after[space][0].items() if key in lasting} == lasting
    assert stage.caller.session.answers == {}


@every_command
@laws
@given(data=st.data())
def test_a_call_that_raises_changes_nothing(command: Command, data: st.DataObject) -> None:
    stage = Stage()
    while stage.rig.engine.expire():
        pass
    args, options = draw_arguments(data.draw, command, stage)
    if data.draw(st.booleans()):
        args, options = spoil(data.draw, args, options)
    before, commits = state(stage), len(stage.rig.commits)
    reply = execute(stage, command, args, options, {SEQ: 1})
    if isinstance(reply, KvError):
        assert state(stage) == before
        assert len(stage.rig.commits) == commits
        assert stage.caller.outbox.heard == stage.other.outbox.heard == []
    assert stage.rig.engine.tx.effects == []
    recount(stage.rig.store)


@every_command
@laws
@given(data=st.data())
def test_replaying_the_commits_gives_an_equal_store_and_equal_rows(command: Command, data: st.DataObject) -> None:
    stage = Stage()
    for seq in range(1, 4):
        args, options = draw_arguments(data.draw, command, stage)
        execute(stage, command, args, options, {SEQ: seq})
        stage.rig.advance(data.draw(st.sampled_from([0, 1, 50, 100])))
    tx, rows = replayed(stage.rig.commits, stage.rig.engine)
    assert picture(tx.store) == picture(stage.rig.store)
    assert kept_answers(tx.sessions) == kept_answers(stage.rig.engine.sessions)
    assert rows == [commit.effects for commit in stage.rig.commits]
    again, rows_again = replayed(
        [commit._replace(effects=row) for commit, row in zip(stage.rig.commits, rows, strict=True)], stage.rig.engine
    )
    assert rows_again == rows
    assert picture(again.store) == picture(tx.store)
    recount(tx.store)


@every_command
@laws
@given(data=st.data())
def test_a_bound_call_does_what_a_direct_call_does(command: Command, data: st.DataObject) -> None:
    direct, bound = Stage(), Stage()
    args, options = draw_arguments(data.draw, command, direct)

    class Later:
        """Binds first, runs then, as a queue of calls would."""

        def __getattr__(self, name: str) -> Any:
            return getattr(command, name)

        def call(self, place: Any, args: Any, options: Any) -> Any:
            return command.run(place, command.bind_typed(args, options))

    first = execute(direct, command, args, options)
    second = execute(bound, Later(), args, options)  # type: ignore[arg-type]
    if isinstance(first, KvError):
        assert isinstance(second, KvError)
        assert (first.code, str(first), first.details) == (second.code, str(second), second.details)
    else:
        assert first == second
    assert state(direct) == state(bound)


@native_commands
@laws
@given(data=st.data())
def test_a_reply_survives_the_wire_and_fits_its_schema(command: Command, data: st.DataObject) -> None:
    stage = Stage()
    args, options = draw_arguments(data.draw, command, stage)
    reply = execute(stage, command, args, options)
    if reply is PARKED:
        assert command.flags & (Flag.BLOCKS | Flag.STREAMS)
        return
    if isinstance(reply, KvError):
        assert reply.code in CODES
        Packer().pack({name: wire(fact) if type(fact) is str else fact for name, fact in reply.details.items()})
        return
    shown = reply if command.present is None or reply is None else command.present(reply)
    received = unpackb(Packer().pack(shown), raw=True, strict_map_key=False)
    assert unpacked(command.reply, received) == as_octets(plain(reply))
    assert fits(command.schema["reply"], readable(command.reply, reply)), readable(command.reply, reply)


CODES = {
    "INVALID", "WRONG_TYPE", "NOT_NUMBER", "OVERFLOW", "RANGE", "TOO_LARGE", "NOT_FOUND", "CONDITION", "LOCK_HELD",
    "LOCK_LOST", "STALE_FENCE", "RATE_LIMITED", "TX_CONFLICT", "UNKNOWN_COMMAND",
}  # fmt: skip
"""What a command itself may fail with."""


def plain(reply: Any) -> Any:
    """Records as plain tuples."""
    if isinstance(reply, tuple):
        return tuple(map(plain, reply))
    return [plain(each) for each in reply] if isinstance(reply, list) else reply


@every_command
def test_a_command_says_what_it_does_in_one_imperative_sentence(command: Command) -> None:
    first = command.doc.split("\n\n")[0].replace("\n", " ")
    assert first.endswith("."), first
    word = first.split()[0]
    assert re.fullmatch(r"[A-Z][a-z]+:?", word), f"{word}: begin with a verb"
    assert not re.search(r"([^s]s|ing|ed)$", word) or word in ("Add",), f"{word}: say it as an order"
    assert word not in ("This", "The", "A", "An", "It"), first
    for name in re.findall(r"\*(\w+)\*", command.doc):
        assert name in {param.name for param in command.signature.params}, f"there is no parameter {name}"


@every_command
def test_a_command_is_either_read_or_write_and_says_what_it_costs(command: Command) -> None:
    flags = command.flags
    assert bool(flags & Flag.READ) != bool(flags & Flag.WRITE)
    assert not flags & Flag.GROWS or flags & Flag.WRITE
    assert not (flags & Flag.FAST and flags & Flag.SLOW)
    assert command.declaration.cost.startswith(("O(", "that of the command"))
    if command.place != "tx" and flags & Flag.WRITE:
        runs_others = command.declaration.cost.startswith("that of the command")
        assert runs_others or command.declaration.doors == Door.RESP, "only a transaction changes data"


def test_every_type_of_the_kit_can_be_drawn() -> None:
    assert set(ROWS) == set(TYPES)
