"""The classes of allowed differences: few, each with a reason, and each still a difference."""

from __future__ import annotations

import contextlib

import pytest

from tests.redis.client import Connection
from tests.redis.contest import Ear
from tests.redis.differences import CLASSES_MAX, DIFFERENCES, Difference, allowed
from tests.redis.servers import Server


def test_the_classes_are_few_and_have_reasons() -> None:
    assert len(DIFFERENCES) <= CLASSES_MAX
    assert len({each.title for each in DIFFERENCES}) == len(DIFFERENCES)
    assert all(each.redis and each.kv and each.why for each in DIFFERENCES)


@pytest.mark.parametrize("difference", [each for each in DIFFERENCES if each.example], ids=lambda each: each.title)
def test_the_example_is_answered_otherwise(difference: Difference, redis: Server, kv: Server) -> None:
    calls = [tuple(b"" if word == "{}" else word.encode() for word in call.split()) for call in difference.example]
    ear, found = Ear(), []
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(contextlib.closing(Connection(server.port))) for server in (redis, kv)]
        for link in links:
            link.call(b"FLUSHALL")
        for words in calls:
            ear.ask(words)
            found = ear.hear(*(link.call(*words) for link in links))
    assert found and difference.covers is not None
    assert all(difference.covers(case) and allowed(case, calls) for case in found), found
