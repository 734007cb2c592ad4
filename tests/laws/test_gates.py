"""The gates before every command: what they refuse is not applied, what they let pass runs as if there were none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import DeadlineExceeded, KvError, ShuttingDown, StaleFence
from kv_protocol.messages import DEADLINE, FENCE, NAMESPACE, SEQ
from kv_server.commands import CATALOG
from kv_server.engine.engine import PARKED
from kv_server.spec.command import Command
from tests.engine.profile import AS_FOUND, examples
from tests.laws.arguments import Stage, draw_arguments, execute, state

every_command = pytest.mark.parametrize("command", CATALOG, ids=lambda command: command.name)
gates = settings(max_examples=examples(2), phases=AS_FOUND)


def guarded_stage() -> tuple[Stage, int]:
    """A stage whose caller also holds the lock *guard*; its token."""
    stage = Stage()
    token = stage.caller.call("LOCK", "guard", ttl=1_000)[0]
    return stage, token


@every_command
@gates
@given(data=st.data())
def test_a_call_under_a_fence_that_holds_does_what_it_does_without(command: Command, data: st.DataObject) -> None:
    (fenced, token), (free, _) = guarded_stage(), guarded_stage()
    args, options = draw_arguments(data.draw, command, fenced)
    meta = {FENCE: [b"guard", token], DEADLINE: fenced.rig.elapsed_ms, SEQ: 5}
    first, second = execute(fenced, command, args, options, meta), execute(free, command, args, options, {SEQ: 5})
    if isinstance(first, KvError):
        assert (type(first), str(first)) == (type(second), str(second))
    elif first is PARKED or second is PARKED:
        assert first is second
    else:
        assert repr(first) == repr(second)
    assert state(fenced) == state(free)


@every_command
@gates
@given(data=st.data())
def test_a_call_that_a_gate_refuses_is_not_applied(command: Command, data: st.DataObject) -> None:
    stage, token = guarded_stage()
    args, options = draw_arguments(data.draw, command, stage)
    before, commits = state(stage), len(stage.rig.commits)
    late = stage.rig.elapsed_ms - 1
    refusals: list[tuple[dict[int, Any], type[KvError]]] = [
        ({FENCE: [b"guard", token + 1]}, StaleFence),
        ({FENCE: [b"guard", 0]}, StaleFence),
        ({FENCE: [b"nobody's", token]}, StaleFence),
        ({FENCE: [b"guard", token], NAMESPACE: b"another"}, StaleFence),
        ({DEADLINE: late}, DeadlineExceeded),
        ({DEADLINE: late, FENCE: [b"guard", token]}, DeadlineExceeded),
    ]
    for meta, expected in refusals:
        assert type(execute(stage, command, args, options, meta | {SEQ: 5})) is expected
    stage.rig.engine.drain()
    stage.other.outbox.heard.clear()
    assert type(execute(stage, command, args, options, {SEQ: 5})) is ShuttingDown
    after = state(stage)
    assert after[0] == before[0]
    assert after[1] == before[1]
    assert len(stage.rig.commits) == commits
    assert stage.caller.outbox.heard == []
