"""What is read back equals what there was: after any commands, with a snapshot begun and ended at any moment, for any
number of shards; and the log says the same when it is written anew from what it says.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.messages import NAMESPACE, SEQ
from kv_server.commands import CATALOG
from kv_server.durability import snapshot as snapshots
from kv_server.engine.commit import Commit
from kv_server.engine.engine import Engine
from kv_server.engine.session import Lost
from kv_server.spec.command import Command, Door, Flag
from tests.commands.calls import NAMESPACES
from tests.durability.disk import FaultyDisk
from tests.durability.rig import Kept, Taking, packed, recovered, rows_in, whole
from tests.engine.profile import examples
from tests.engine.rig import recount, start
from tests.laws import arguments
from tests.laws.arguments import Stage, draw_arguments, execute

WRITERS = [
    command
    for command in CATALOG
    if command.flags & Flag.WRITE and not (command.place == "session" and Door.NATIVE not in command.declaration.doors)
]
NATIVE = [command for command in WRITERS if Door.NATIVE in command.declaration.doors]
SHARDS = (1, 8, 16, 256)


class Story:
    """A furnished stage whose rounds are kept, and a snapshot that goes on between them if one was begun."""

    def __init__(self) -> None:
        with patch.object(arguments, "Rig", Kept):
            self.stage = Stage()
        self.kept: Kept = self.stage.rig  # type: ignore[assignment]
        self.kept.write()
        self.taking: Taking | None = None
        self.then: Any = None
        self.words: dict[int, Command] = {}

    def call(self, draw: Any, command: Command, seq: int) -> None:
        args, options = draw_arguments(draw, command, self.stage)
        meta: dict[int, Any] = {NAMESPACE: draw(st.sampled_from(NAMESPACES))}
        if Door.NATIVE in command.declaration.doors:
            meta[SEQ] = seq
            self.words[seq] = command
        execute(self.stage, command, args, options, meta)
        self.kept.advance(draw(st.sampled_from([0, 0, 1, 50, 100])))

    def begin(self) -> None:
        self.taking = self.kept.begin_snapshot()
        self.then = whole(self.kept.engine)

    def end(self) -> None:
        assert self.taking is not None
        self.taking.finish()


def only(disk: FaultyDisk, kind: str) -> FaultyDisk:
    """The files of one kind alone."""
    copy = disk.copy()
    for name in list(copy.files):
        if not name.startswith(kind):
            copy.remove(name)
    return copy


def check_log(kept: Kept) -> None:
    """The bytes of the rows are those that the effects had when they were applied; replaying gives them anew."""
    rows = list(rows_in(kept.disk))
    assert [packed(row) for row in rows] == kept.pending.bytes
    tx = Engine(CATALOG, start=start(), shards=16).tx
    for row in rows:
        revision, now_ms, elapsed_ms, namespace, effects = row
        tx.replay(Commit(revision, now_ms, elapsed_ms, namespace, effects))
        assert packed(tx.effects) == packed(effects)
        tx.effects, tx.notices = [], []


def check_answers(story: Story, engine: Engine) -> None:
    """What was answered is sent again as it was sent."""
    session = story.stage.caller.session
    for seq, (reply, _) in session.answers.items():
        again = engine.sessions[session.id].answers[seq][0]
        present = story.words[seq].present
        if present is not None and reply is not None and not isinstance(reply, Lost):
            assert packed(present(again)) == packed(present(reply)), story.words[seq].name


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command.name)
@settings(max_examples=examples(2))
@given(data=st.data())
def test_what_is_read_back_is_what_there_was(command: Command, data: st.DataObject) -> None:
    draw = data.draw
    with patch.object(snapshots, "_SLICE_KEYS", draw(st.sampled_from([1, 3]))), patch.object(snapshots, "_ENOUGH", 200):
        story = Story()
        kept = story.kept
        begin = draw(st.integers(0, 3))
        for turn in range(4):
            if turn == begin:
                story.begin()
            chosen = command if turn in (0, 2) else draw(st.sampled_from(NATIVE))
            story.call(draw, chosen, turn + 1)
            if story.taking is not None and draw(st.booleans()):
                story.taking.step()
            if draw(st.booleans()):
                kept.write()
        kept.keep()
        if draw(st.booleans()):
            story.end()
            there = whole(recovered(only(kept.disk, "snapshot-"), draw(st.sampled_from(SHARDS))).engine)
            assert there == story.then, "the snapshot is not of the moment when it was begun"
        recount(kept.store)
        memory = whole(kept.engine)
        for disk in (kept.disk.copy(), only(kept.disk, "log-")):
            recovery = recovered(disk, draw(st.sampled_from(SHARDS)))
            assert whole(recovery.engine) == memory
            recount(recovery.engine.store)
            check_answers(story, recovery.engine)
        check_log(kept)
