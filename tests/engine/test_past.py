"""What is remembered of runs and changes: the newest, the oldest forgotten first; and the native twin says the same."""

from __future__ import annotations

import gc
import importlib.util
import sys
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.engine import past as module
from kv_server.engine.history import History
from kv_server.engine.past import Changes, Runs
from kv_server.model.steps import STEP
from tests.engine.profile import examples

native = pytest.mark.skipif(str(module.__file__).endswith(".py"), reason="no native build")
KEYS = (None, b"", b"k", b"key", b"kez", b"k" * 300)
MOSTS = st.sampled_from([0, 1, 2, 3, 63, 64, 65, 100, 200])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
COUNTS = st.integers(-3, 400)
change = st.tuples(
    NUMBERS, NUMBERS, st.sampled_from([b"0", b"shop"]), st.sampled_from(KEYS), st.sampled_from(["deleted", "expiry"]),
    st.none() | st.just("DEL"), st.none() | st.integers(0, 2**63 - 1), st.none() | st.just((b"0", b"other")), NUMBERS,
)  # fmt: skip
run = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["SET", "INCR"]))
steps = st.one_of(
    st.tuples(st.just("add"), run, change),
    st.tuples(st.just("many"), st.integers(1, 150), run, change),
    st.tuples(st.just("rename"), COUNTS),
    st.tuples(st.just("about"), st.sampled_from(KEYS[1:]), COUNTS, COUNTS),
    st.tuples(st.just("at"), COUNTS),
    st.tuples(st.just("last"), MOSTS),
)


def plain() -> tuple[type[Runs], type[Changes]]:
    """The classes of the plain source."""
    spec = importlib.util.spec_from_file_location("plain_past", Path(str(module.__file__)).parent / "past.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made.Runs, made.Changes


def whole(past: Any) -> list[Any]:
    return [past.most, past.end, len(past), *past]


def at(past: Any, place: int) -> Any:
    try:
        return past[place]
    except IndexError:
        return None


@native
@settings(max_examples=examples(200))
@given(most=MOSTS, script=st.lists(steps, max_size=40))
def test_twins_are_alike(most: int, script: list[tuple[Any, ...]]) -> None:
    runs: list[Any] = [kind(most) for kind in (Runs, plain()[0])]
    kept: list[Any] = [kind(most) for kind in (Changes, plain()[1])]
    for kind, *args in script:
        for each in range(2):
            if kind in ("add", "many"):
                for _ in range(args[0] if kind == "many" else 1):
                    runs[each].add(*args[-2])
                    kept[each].add(*args[-1])
            elif kind == "rename":
                kept[each].rename(args[0], "lease expired", (b"0", b"worker"))
            elif kind == "last":
                runs[each], kept[each] = runs[each].last(args[0]), kept[each].last(args[0])
        if kind == "about":
            key, end, count = args
            ends = end, kept[0].end - end
            assert [kept[0].about(key, end, count) for end in ends] == [kept[1].about(key, end, count) for end in ends]
        elif kind == "at":
            assert [at(runs[0], args[0]), at(kept[0], args[0])] == [at(runs[1], args[0]), at(kept[1], args[0])]
        assert whole(runs[0]) == whole(runs[1])
        assert whole(kept[0]) == whole(kept[1])


@native
def test_what_does_not_fit_changes_nothing() -> None:
    kept, runs = Changes(2), Runs(2)
    given: tuple[Any, ...] = (1, 2, b"0", b"k", "deleted", None, 3, None, 4)
    wrong: dict[int, Any] = {0: 2**63, 1: None, 2: "0", 3: "k", 4: b"", 5: 1, 6: 2**63, 7: [], 8: "4"}
    for place, bad in wrong.items():
        with pytest.raises((TypeError, OverflowError)):
            kept.add(*given[:place], bad, *given[place + 1 :])
    with pytest.raises(OverflowError):
        runs.add(1, 2, 3, 2**63, "SET")
    with pytest.raises(TypeError):
        runs.add(1, 2, 3, 4, b"SET")  # type: ignore[arg-type]
    assert (len(kept), len(runs)) == (0, 0)


def churn(rounds: int) -> None:
    dice = Random(7)
    for _ in range(rounds):
        runs, kept = Runs(100), Changes(100)
        for number in range(dice.choice([10, 90, 100, 350])):
            runs.add(number, number + 1, number, 2**40 + number, f"SET {number}")
            other = (b"0", b"lock:%d" % number) if number % 3 else None
            kept.add(number, 1, b"%d" % number, b"key:%d" % number, f"what {number}", None, 5, other, number)
            kept.rename(number % 4, f"other {number}", (b"0", b"%d" % number))
            kept.about(b"key:%d" % (number - 5), number, 50)
        runs, kept = runs.last(dice.choice([0, 5, 1_000])), kept.last(dice.choice([0, 5, 1_000]))


def test_no_memory_is_left_behind() -> None:
    churn(20)
    tracemalloc.start()
    try:
        churn(10)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        churn(60)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()


def test_everything_that_was_held_is_let_go() -> None:
    things: list[Any] = [b"a namespace", b"a key", "a what", "a command", (b"an", b"other")]
    space, key, what, command, other = things
    before = [sys.getrefcount(each) for each in things]
    runs, kept = Runs(3), Changes(3)
    for _ in range(10):
        runs.add(1, 2, 3, 4, command)
        kept.add(1, 2, space, key, what, command, None, other, 0)
        kept.rename(2, what, other)
    copies = runs.last(2), kept.last(2)
    assert [sys.getrefcount(each) > count for each, count in zip(things, before, strict=True)] == [True] * 5
    del runs, kept, copies
    assert [sys.getrefcount(each) for each in things] == before


def test_a_key_is_looked_for_step_by_step_while_changes_go_on() -> None:
    history = History()
    history.keep(3 * STEP, 1)
    for number in range(4 * STEP):
        history.kept.add(number, 1, b"0", b"k", "deleted", None, None, None, 0)
    asked = history.about(b"0", b"k", 10_000)
    next(asked)
    for number in range(STEP + 10):
        history.kept.add(number, 2, b"0", b"k", "deleted", None, None, None, 0)
    taken = 1
    try:
        while True:
            next(asked)
            taken += 1
    except StopIteration as done:
        found = done.value
    assert taken == 3
    assert [change.revision for change in found] == [*range(4 * STEP - 1, 2 * STEP + 9, -1)]
