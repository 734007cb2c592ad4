"""SORT against a plain model of what it looks at, and as text clients write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands.answers import Fits
from tests.commands.calls import call
from tests.commands.plain import Fails, plain_text
from tests.commands.side_by_side import SideBySide, Step, steps
from tests.engine.profile import examples
from tests.engine.rig import Present, Rig
from tests.engine.text_line import TextLine

sources = st.sampled_from([b"list", b"list", b"w_1", b"h1", b"absent"])
options: dict[str, Any] = {
    "by": st.sampled_from([b"w_*", b"h*->f", b"nosort", b"absent*", b"#", b"*", b"h*->"]),
    "limit": st.tuples(st.sampled_from([-1, 0, 1, 5]), st.sampled_from([-1, 0, 1, 2, 9])),
    "get": st.lists(st.sampled_from([b"#", b"w_*", b"h*->f", b"nothing", b"h*->g"]), max_size=3),
    "order": st.sampled_from(["ASC", "DESC"]),
    "alpha": st.booleans(),
}
elements = st.sampled_from(["3", "20", "-1"]) | st.sampled_from([1, 2, "3", 10, 1.5, "x", "", b"2", "-1", None, "1 2"])

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "SORT_RO": call(sources, **options),
    "SORTSTORE": call(st.sampled_from([b"target", b"list", b"w_1"]), sources, **options),
}
OTHERS = {
    "RPUSH": call(st.just(b"list"), elements),
    "SET": call(st.sampled_from([b"w_1", b"w_2", b"w_3"]), elements),
    "HSET": call(st.sampled_from([b"h1", b"h2"]), st.tuples(st.sampled_from([b"f", b"g"]), elements)),
    "DEL": call(st.sampled_from([b"list", b"w_1", b"target"])),
}


class Model:
    """Lists, hashes and single values by key."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def rpush(self, key: bytes, value: Any) -> Any:
        found = self.keys.setdefault(key, [])
        if type(found) is not list:
            raise Fails("WRONG_TYPE")
        found.append(value)
        return len(found)

    def set(self, key: bytes, value: Any) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def hset(self, key: bytes, item: tuple[bytes, Any]) -> Any:
        new = item[0] not in self.keys.setdefault(key, {})
        self.keys[key][item[0]] = item[1]
        return int(new)

    def delete(self, key: bytes) -> Any:
        there = key in self.keys
        self.keys.pop(key, None)
        return int(there)

    def found(self, pattern: bytes, element: Any) -> Present | None:
        if pattern == b"#":
            return Present(element)
        if b"*" not in pattern:
            return None
        head, _, tail = pattern.partition(b"*")
        tail, arrow, field = tail.partition(b"->")
        if arrow and not field:
            tail, arrow = tail + arrow, b""
        there = self.keys.get(head + plain_text(element) + tail)
        if arrow:
            return Present(there[field]) if type(there) is dict and field in there else None
        return None if there is None and head + plain_text(element) + tail not in self.keys else scalar(there)

    def sort_ro(
        self, key: bytes, by: Any = None, limit: Any = None, get: Any = (), order: str = "ASC", alpha: bool = False
    ) -> Any:
        elements = self.keys.get(key, [])
        if type(elements) is not list:
            raise Fails("WRONG_TYPE")
        elements = list(elements)
        if by is not None and b"*" not in by:
            elements = elements[::-1] if order == "DESC" else elements
        elif by is None and alpha:
            elements.sort(key=plain_text, reverse=order == "DESC")
        else:
            elements.sort(key=lambda element: self.weight(by, element, alpha), reverse=order == "DESC")
        if limit is not None:
            start = max(limit[0], 0)
            elements = elements[start:] if limit[1] < 0 else elements[start : start + limit[1]]
        return [self.found(pattern, element) for element in elements for pattern in get or [b"#"]]

    def weight(self, by: bytes | None, element: Any, alpha: bool) -> Any:
        found = self.found(by or b"#", element)
        if alpha:
            return (found is not None, plain_text(found.value) if found else b"")
        try:
            return (float(plain_text(found.value).decode() or "0") if found else 0.0, plain_text(element))
        except ValueError:
            raise Fails("INVALID") from None

    def sortstore(self, target: bytes, key: bytes, **options: Any) -> Any:
        found = self.sort_ro(key, **options)
        self.keys.pop(target, None)
        if found:
            self.keys[target] = [each.value if each else "" for each in found]
        return len(found)


def scalar(there: Any) -> Present | None:
    return None if type(there) in (list, dict) else Present(there)


@settings(max_examples=examples(150))
@given(calls=steps(CALLS | OTHERS))
def test_sorting_does_what_the_model_does(calls: list[Step]) -> None:
    SideBySide(Model()).run(calls)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("SORT l", [b"1", b"2", b"3", b"10"]),
        ("SORT l DESC LIMIT 1 2", [b"3", b"2"]),
        ("SORT l ALPHA", [b"1", b"10", b"2", b"3"]),
        ("SORT l BY w_*", [b"10", b"3", b"2", b"1"]),
        ("SORT l BY w_* GET # GET o_*", [b"10", None, b"3", b"three", b"2", b"two", b"1", b"one"]),
        ("SORT l BY nosort", [b"3", b"1", b"2", b"10"]),
        ("SORT l BY nosort DESC", [b"10", b"2", b"1", b"3"]),
        ("SORT l BY w_* STORE d", 4),
        ("SORT absent STORE d", 0),
        ("SORT l LIMIT 1", "ERR syntax error"),
        ("SORT l NONSENSE", "ERR syntax error"),
        ("SORT w", "ERR One or more scores can't be converted into double"),
        ("SORT s", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("SORT m ALPHA", [b"a", b"b", b"c"]),
        ("SORT m BY nosort STORE d", 3),
        ("SORT z BY nosort", [b"low", b"mid", b"top"]),
        ("SORT z BY nosort DESC LIMIT 0 1", [b"top"]),
        ("SORT f", [b"-2", b"", b"1.5", b"0x10", b"1e3", b"inf"]),
        ("SORT_RO l", [b"1", b"2", b"3", b"10"]),
        ("SORT_RO l STORE d", "ERR syntax error"),
    ],
)
def test_text_clients_are_answered_as_by_redis(line: str, reply: Any) -> None:
    door = TextLine(Rig())
    for words in (
        "RPUSH l 3 1 2 10",
        "MSET w_1 30 w_2 20 w_3 10 w_10 5 o_1 one o_2 two o_3 three s x",
        "SADD m c a b",
        "ZADD z 5 mid 9 top 1 low",
        "RPUSH w abc",
    ):
        door(words)
    door("RPUSH", "f", "1.5", "-2", "1e3", "0x10", "inf", "")
    assert door(line) == reply


def test_a_set_is_stored_in_an_order_of_its_own() -> None:
    door = TextLine(Rig())
    door("SADD m c a b")
    assert door("SORT m BY nosort STORE d") == 3
    assert door("LRANGE d 0 -1") == [b"a", b"b", b"c"]
    assert door("SORT absent STORE d") == 0
    assert door("EXISTS d") == 0
