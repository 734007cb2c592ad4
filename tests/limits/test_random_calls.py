"""Whatever is called in whatever order, under whatever policy: what is accounted for equals a recount."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.commands import CATALOG
from kv_server.engine.gates import CLOSED
from kv_server.model.terms import POLICIES, Rules, Terms
from kv_server.spec.command import Flag
from tests.engine.profile import AS_FOUND, examples
from tests.engine.rig import recount
from tests.laws.arguments import Stage, draw_arguments, execute

WRITES = sorted((each for each in CATALOG.commands.values() if each.flags & Flag.WRITE), key=lambda each: each.name)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=examples(12), phases=AS_FOUND, deadline=None)
@given(data=st.data())
def test_accounts_hold_whatever_is_called(policy: str, data: st.DataObject) -> None:
    stage = Stage()
    rig = stage.rig
    keys, size = data.draw(st.sampled_from([(0, 0), (5, 0), (0, 30_000), (1_000, 1 << 20)]))
    rig.engine.room.apply(
        rules=Rules(((b"0", Terms(policy, size, keys)),), numbered=data.draw(st.sampled_from(POLICIES)))
    )
    for _ in range(20):
        command = data.draw(st.sampled_from(WRITES))
        execute(stage, command, *draw_arguments(data.draw, command, stage))
        recount(rig.store)
        if data.draw(st.integers(0, 3)) == 0:
            rig.advance(data.draw(st.sampled_from([1, 60, 70_000])))
            recount(rig.store)
    rig.engine.room.apply(rules=Rules())
    rig.settle()
    recount(rig.store)
    assert rig.engine.careful == CLOSED
