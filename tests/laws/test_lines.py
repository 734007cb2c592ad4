"""What every command writes can be printed as a line of JSON and read back, and stands for the same effects then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import packb, unpackb

from kv_protocol.messages import SEQ
from kv_server.commands import CATALOG
from kv_server.durability import lines
from kv_server.spec.command import Command, Flag
from tests.engine.profile import AS_FOUND, examples
from tests.laws.arguments import Stage, draw_arguments, execute

writers = [command for command in CATALOG if command.flags & Flag.WRITE]


def stored(row: Any) -> Any:
    """A commit as the log gives it back."""
    return unpackb(packb(row, unicode_errors="surrogateescape"), strict_map_key=False, unicode_errors="surrogateescape")


@pytest.mark.parametrize("command", writers, ids=lambda command: command.name)
@settings(max_examples=examples(8), phases=AS_FOUND)
@given(data=st.data())
def test_a_commit_survives_as_a_line(command: Command, data: st.DataObject) -> None:
    stage = Stage()
    args, options = draw_arguments(data.draw, command, stage)
    execute(stage, command, args, options, {SEQ: 1})
    for commit in stage.rig.commits:
        row = stored(list(commit))
        form = json.loads(json.dumps(lines.commit_line(row), allow_nan=False))
        assert stored(lines.commit_of(form)) == row
