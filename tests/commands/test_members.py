"""Every command about sets and sorted sets against plain sets and dicts."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands.calls import call, tail
from tests.commands.members_model import Beside, Members
from tests.commands.side_by_side import Step, steps
from tests.engine.profile import examples

INF = float("inf")

keys = st.sampled_from([b"k", b"k", b"k", b"l", b"m", b"w"])
names = st.sampled_from([b"m", b"n", b"", b"\xff", b"mm", b"m\0", "é".encode()])
some = st.lists(keys, min_size=1, max_size=3)
counts = st.sampled_from([0, 1, 2, 3, 100, 2**63 - 1])
draws = st.sampled_from([0, 1, 2, 3, 100, -1, -5, -(2**63)])
limits = st.sampled_from([0, 1, 2, 100])
pages: dict[str, Any] = {"match": st.sampled_from(["*", "m*"]), "count": st.sampled_from([1, 2, 3, 100])}

SETS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "SADD": tail(names, before=(keys,)),
    "SREM": tail(names, before=(keys,)),
    "SISMEMBER": call(keys, names),
    "SMISMEMBER": tail(names, before=(keys,)),
    "SMEMBERS": call(keys),
    "SCARD": call(keys),
    "SPOP": call(keys) | call(keys, counts),
    "SRANDMEMBER": call(keys) | call(keys, draws),
    "SMOVE": call(keys, keys, names),
    "SINTER": tail(keys),
    "SUNION": tail(keys),
    "SDIFF": tail(keys),
    "SINTERSTORE": tail(keys, before=(keys,)),
    "SUNIONSTORE": tail(keys, before=(keys,)),
    "SDIFFSTORE": tail(keys, before=(keys,)),
    "SINTERCARD": call(some, limit=limits),
    "SSCAN": call(keys, st.just(0), **pages),
}

scores = st.sampled_from([0.0, -0.0, 1, 1.5, 2, 3, -1, 1e300, INF, -INF]) | st.integers(-3, 3) | st.just(float("nan"))
items = st.tuples(scores, names)
where = st.fixed_dictionaries(
    {}, optional={name: st.booleans() for name in ("if_absent", "if_present", "if_greater", "if_less")}
)  # fmt: skip
few = st.just({}) | where
ranks = st.sampled_from([0, 1, 2, -1, -2, 5, -100, 100, 2**63 - 1, -(2**63)])
score_ends = scores | st.sampled_from([b"(1", b"(1.5", b"-inf", b"+inf", b"(-inf", b"(inf", b"2", b"1e300", b"(", b"x"])
name_ends = st.sampled_from([b"-", b"+", b"[m", b"(m", b"[", b"(", b"[m\0", b"(\xff", b"[zz", b"m", 5, b""])
cut = st.none() | st.tuples(st.sampled_from([0, 1, 2, -1, 100]), st.sampled_from([0, 1, 2, -1, 100]))
weights = st.sampled_from([0, 1, -1, 2, 0.5, INF])


@st.composite
def ranges(draw: Any, before: tuple[Any, ...]) -> Any:
    by = draw(st.sampled_from([None, "BYSCORE", "BYLEX"]))
    ends = {None: ranks, "BYSCORE": score_ends, "BYLEX": name_ends}[by]
    args = tuple(draw(each) for each in (*before, ends, ends))
    options = {"by": by, "rev": draw(st.booleans()), "limit": draw(cut)}
    return args, {name: option for name, option in options.items() if option}


@st.composite
def combined(draw: Any, before: tuple[Any, ...], weighted: bool = True) -> Any:
    sources = draw(some)
    options: dict[str, Any] = {}
    if weighted and draw(st.booleans()):
        options["weights"] = [draw(weights) for _ in sources]
    if weighted and draw(st.booleans()):
        options["aggregate"] = draw(st.sampled_from(["SUM", "MIN", "MAX"]))
    return (*(draw(each) for each in before), sources), options


def with_options(args: Any, options: st.SearchStrategy[Any]) -> Any:
    return st.tuples(args, options).map(lambda both: (both[0][0], both[0][1] | both[1]))


ends_of_score = (score_ends, score_ends)
ends_of_name = (name_ends, name_ends)
limited = st.just({}) | cut.map(lambda limit: {} if limit is None else {"limit": limit})

ZSETS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "ZADD": with_options(tail(items, before=(keys,), changed=st.booleans()), few),
    "ZINCRBY": with_options(call(keys, scores, names), few),
    "ZREM": tail(names, before=(keys,)),
    "ZCARD": call(keys),
    "ZSCORE": call(keys, names),
    "ZMSCORE": tail(names, before=(keys,)),
    "ZRANK": call(keys, names),
    "ZREVRANK": call(keys, names),
    "ZRANDMEMBER": call(keys) | call(keys, draws),
    "ZSCAN": call(keys, st.just(0), **pages),
    "ZRANGE": ranges((keys,)),
    "ZRANGESTORE": ranges((keys, keys)),
    "ZREVRANGE": call(keys, ranks, ranks),
    "ZRANGEBYSCORE": with_options(call(keys, *ends_of_score), limited),
    "ZREVRANGEBYSCORE": with_options(call(keys, *ends_of_score), limited),
    "ZRANGEBYLEX": with_options(call(keys, *ends_of_name), limited),
    "ZREVRANGEBYLEX": with_options(call(keys, *ends_of_name), limited),
    "ZCOUNT": call(keys, *ends_of_score),
    "ZLEXCOUNT": call(keys, *ends_of_name),
    "ZREMRANGEBYRANK": call(keys, ranks, ranks),
    "ZREMRANGEBYSCORE": call(keys, *ends_of_score),
    "ZREMRANGEBYLEX": call(keys, *ends_of_name),
    "ZPOPMIN": call(keys) | call(keys, counts),
    "ZPOPMAX": call(keys) | call(keys, counts),
    "ZMPOP": call(some, st.sampled_from(["MIN", "MAX"]), count=st.sampled_from([1, 2, 100])),
    "ZUNION": combined(()),
    "ZINTER": combined(()),
    "ZDIFF": combined((), weighted=False),
    "ZUNIONSTORE": combined((keys,)),
    "ZINTERSTORE": combined((keys,)),
    "ZDIFFSTORE": combined((keys,), weighted=False),
    "ZINTERCARD": call(some, limit=limits),
}
OTHERS = {
    "SET": call(st.just(b"w"), st.just(5)),
    "DEL": call(keys),
}
BY_NAME = {word for word in ZSETS if "LEX" in word}


def level(step: Step) -> Step:
    """The same call with every score 0: ranges by name ask for that."""
    word, (args, options) = step
    if word == "ZADD":
        args = (args[0], *((0, name) for _, name in args[1:]))
    return word, (args, options)


@settings(max_examples=examples(200))
@given(filled=st.lists(SETS["SADD"].map(lambda c: ("SADD", c)), max_size=4), calls=steps(SETS | OTHERS))
def test_sets_do_what_sets_do(filled: list[Step], calls: list[Step]) -> None:
    Beside(Members()).run(filled + calls)


@settings(max_examples=examples(300))
@given(
    filled=st.lists(ZSETS["ZADD"].map(lambda c: ("ZADD", c)), max_size=4),
    calls=steps(
        {word: calls for word, calls in (ZSETS | OTHERS).items() if word not in BY_NAME} | {"SADD": SETS["SADD"]}
    ),
)
def test_sorted_sets_do_what_sorting_does(filled: list[Step], calls: list[Step]) -> None:
    Beside(Members()).run([step for step in filled + calls if step[1][1].get("by") != "BYLEX"])


LEVEL = BY_NAME | {"ZADD", "ZREM", "ZRANGE", "ZRANGESTORE", "ZPOPMIN", "ZRANK"}


@settings(max_examples=examples(150))
@given(
    filled=st.lists(ZSETS["ZADD"].map(lambda c: ("ZADD", c)), max_size=4),
    calls=steps({word: ZSETS[word] for word in sorted(LEVEL)}),
)
def test_ranges_by_name_do_what_sorting_does(filled: list[Step], calls: list[Step]) -> None:
    Beside(Members()).run(map(level, filled + calls))
