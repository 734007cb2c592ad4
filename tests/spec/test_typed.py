"""The typed door: what it takes, what it refuses, and that a refusal names the argument and never repeats it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from kv_protocol import limits
from kv_protocol.errors import InvalidArgument, TooLarge
from kv_protocol.values import encode, int_blob
from kv_server.spec import (
    NATIVE,
    OPTIONAL,
    READ,
    WRITE,
    Bool,
    Catalog,
    Duration,
    Float,
    Key,
    LockName,
    Name,
    Number,
    Octets,
    Text,
    Time,
    Timeout,
    Token,
    Value,
    Version,
    command,
)  # fmt: skip

V = encode("v")


@command(READ, group="test", since="0.1", cost="O(1)")
def rows(tx: Any, name: Name, text: Text, octets: Octets, number: Float, whole: int, yes: Bool, /) -> Any:
    """Return the arguments."""
    return name, text, octets, number, whole, yes


@command(READ, group="test", since="0.1", cost="O(1)")
def optional(tx: Any, first: Key, second: Key | None = None, third: int = 3, /) -> Any:
    """Return the arguments."""
    return first, second, third


@command(WRITE, group="test", since="0.1", cost="O(1)")
def tail(
    tx: Any, /, *keys: Annotated[Key, OPTIONAL], from_: Annotated[Key | None, NATIVE] = None, values: bool = True
) -> Any:
    """Return the arguments."""
    return keys, from_, values


@command(WRITE, group="test", since="0.1", cost="O(1)")
def times(
    session: Any,
    lock: LockName,
    /,
    *,
    ttl: Annotated[Duration, Token("PX")] = 5,
    wait: Timeout | None = None,
    at: Time | None = None,
    by: Number | None = None,
    version: Version | None = None,
    side: Annotated[Literal["LEFT", "RIGHT"] | None, Token("SIDE")] = None,
    must: Annotated[Value, Token("MUST")],
) -> Any:
    """Return the arguments."""
    return lock, ttl, wait, at, by, version, side, must


CATALOG = Catalog((rows, optional, tail, times))


def test_arguments_arrive_as_commands_want_them() -> None:
    reply = CATALOG["ROWS"].call(None, [b"\xff", b"\xc3\xa9", b"\x00", 2, -5, True], None)
    assert reply == (b"\xff", "é", b"\x00", 2.0, -5, True)
    assert type(reply[3]) is float


@pytest.mark.parametrize(
    ("at", "wrong", "message"),
    [
        (0, 1, "name must be a name (str or bytes)"),
        (0, None, "name must be a name (str or bytes)"),
        (1, b"\xff", "text must be UTF-8 text"),
        (1, 1.0, "text must be UTF-8 text"),
        (2, [b"a"], "octets must be bytes"),
        (3, b"1", "number must be a number"),
        (3, True, "number must be a number"),
        (4, True, "whole must be an integer of 64 bits"),
        (4, 2**63, "whole must be an integer of 64 bits"),
        (4, 1.0, "whole must be an integer of 64 bits"),
        (5, 1, "yes must be true or false"),
    ],
)
def test_a_wrong_argument_is_named(at: int, wrong: object, message: str) -> None:
    args: list[object] = [b"n", b"t", b"o", 1.5, 7, False]
    args[at] = wrong
    with pytest.raises(InvalidArgument) as caught:
        CATALOG["ROWS"].call(None, args, {})
    assert caught.value.message == message


@pytest.mark.parametrize("args", [[], [b"a"] * 4, None, b"", {}, 5])
def test_a_wrong_number_of_arguments_tells_the_usage(args: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^OPTIONAL: .*; usage: OPTIONAL first \[second\] \[third\]$"):
        CATALOG["OPTIONAL"].call(None, args, None)
    if args != []:
        with pytest.raises(
            InvalidArgument, match=r"^ROWS: wrong number of arguments \((\d|no array) given\); usage: ROWS name"
        ):
            CATALOG["ROWS"].call(None, args, None)


def test_nil_stands_for_an_argument_that_is_left_out() -> None:
    call = CATALOG["OPTIONAL"].call
    assert call(None, [b"a"], None) == (b"a", None, 3)
    assert call(None, [b"a", None, None], None) == (b"a", None, 3)
    assert call(None, (b"a", b"b", 4), {}) == (b"a", b"b", 4)
    with pytest.raises(InvalidArgument, match="third must be an integer"):
        call(None, [b"a", None, b"4"], None)


def test_a_name_has_a_longest_length() -> None:
    call = CATALOG["OPTIONAL"].call
    longest = b"k" * limits.MAX_NAME
    assert call(None, [longest], None)[0] is longest
    with pytest.raises(InvalidArgument, match="first must be a name of at most 65,536 bytes"):
        call(None, [longest + b"k"], None)


def test_a_tail_is_bounded_and_each_element_checked() -> None:
    call = CATALOG["TAIL"].call
    assert call(None, [], {}) == ((), None, True)
    assert call(None, [b"a", b"b"], {b"from": b"c", b"values": False}) == ((b"a", b"b"), b"c", False)
    with pytest.raises(InvalidArgument, match="keys must be a name"):
        call(None, [b"a", 2], {})
    with pytest.raises(TooLarge, match="keys: more than 65,536 elements"):
        call(None, [b""] * (limits.MAX_BATCH + 1), {})


def test_options_come_by_name_and_nil_means_absent() -> None:
    call = CATALOG["TIMES"].call
    options = {b"ttl": 10, b"wait": 0, b"at": 1, b"by": int_blob(3), b"version": 0, b"side": b"LEFT", b"must": V}
    assert call(None, [b"l"], options) == (b"l", 10, 0, 1, int_blob(3), 0, "LEFT", V)
    assert call(None, [b"l"], {**dict.fromkeys(options), b"must": V}) == (b"l", 5, None, None, None, None, None, V)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({b"ttl": 0}, f"ttl must be a duration in milliseconds, 1 to {limits.MAX_TTL_MS:,}"),
        ({b"ttl": limits.MAX_TTL_MS + 1}, f"ttl must be a duration in milliseconds, 1 to {limits.MAX_TTL_MS:,}"),
        ({b"ttl": 1.5}, f"ttl must be a duration in milliseconds, 1 to {limits.MAX_TTL_MS:,}"),
        ({b"wait": -1}, f"wait must be a time to wait in milliseconds, 0 to {limits.MAX_TTL_MS:,}"),
        ({b"at": 2**60}, "at must be a time in milliseconds since 1970"),
        ({b"by": b"\xa11"}, "by must be an int, a float or a Decimal"),
        ({b"version": -1}, "version must be a version (an integer from 0)"),
        ({b"side": b"left"}, "side must be one of LEFT, RIGHT"),
        ({b"side": []}, "side must be one of LEFT, RIGHT"),
        ({b"must": None}, "TIMES: option must is missing; usage: TIMES lock {ttl, wait, at, by, version, side, must*}"),
        (None, "TIMES: option must is missing; usage: TIMES lock {ttl, wait, at, by, version, side, must*}"),
        ({b"must": "v"}, "must must be a value (a bin that holds canonical msgpack)"),
        ({b"tll": 1}, "TIMES: unknown option tll; did you mean ttl?"),
        ({b"TTL": 1}, "TIMES: unknown option TTL; did you mean ttl?"),
        ({b"colour": 1}, "TIMES: unknown option colour; known: ttl, wait, at, by, version, side, must"),
        ({b"\x00\xff": 1}, "TIMES: option names are short words"),
        ({b"o" * 100: 1}, "TIMES: option names are short words"),
        ({7: 1}, "TIMES: option names are short words"),
        ([b"ttl", 5], "TIMES: option names are short words"),
    ],
)
def test_a_wrong_option_is_named(options: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        CATALOG["TIMES"].bind_typed([b"l"], options)
    assert caught.value.message == message


def test_a_blob_that_is_not_canonical_is_refused_by_the_argument_it_stands_for() -> None:
    with pytest.raises(InvalidArgument, match=r"^must: "):
        CATALOG["TIMES"].call(None, [b"l"], {b"must": b"\xcc\x01"})
    with pytest.raises(InvalidArgument, match=r"^by: "):
        CATALOG["TIMES"].call(None, [b"l"], {b"must": V, b"by": b""})


def test_a_command_without_options_refuses_any() -> None:
    with pytest.raises(InvalidArgument, match="ROWS: unknown option ttl; it takes none"):
        CATALOG["ROWS"].call(None, [b"n", b"t", b"o", 1.5, 7, False], {b"ttl": 1})


def test_two_options_of_which_one_is_allowed_are_both_named(hard: Catalog) -> None:
    with pytest.raises(InvalidArgument, match=r"^SET: ttl and keep_ttl exclude each other$"):
        hard["SET"].call(None, [b"k", V], {b"keep_ttl": True, b"ttl": 5})


def test_records_and_arrays_are_checked_through(hard: Catalog) -> None:
    add, union = hard["ZADD"].call, hard["ZUNIONSTORE"].call
    for item, message in [
        (b"a", "items must be an array of score, member"),
        ([1], "items must be an array of score, member"),
        ([b"1", b"a"], "items.score must be a number"),
        ([1, 2], "items.member must be a name"),
    ]:
        with pytest.raises(InvalidArgument, match=message):
            add(None, [b"z", item], {})
    for keys, options, message in [
        (b"a", {}, "keys must be an array of at least one element"),
        ([], {}, "keys must be an array of at least one element"),
        ([b"a"], {b"weights": [1, 2]}, "weights must have as many elements as keys"),
    ]:
        with pytest.raises(InvalidArgument, match=message):
            union(None, [b"t", keys], options)
    with pytest.raises(InvalidArgument, match=r"radius\.unit must be one of M, KM, FT, MI"):
        hard["GEOSEARCH"].call(None, [b"g"], {b"radius": [1, b"AU"]})
    with pytest.raises(InvalidArgument, match=r"^GEOSEARCH: option from_member or from_position is missing; usage"):
        hard["GEOSEARCH"].call(None, [b"g"], {b"radius": [1, b"M"]})
    with pytest.raises(InvalidArgument, match=r"^GEOSEARCH: radius and box exclude each other"):
        hard["GEOSEARCH"].call(None, [b"g"], {b"from_member": b"m", b"radius": [1, b"M"], b"box": [1, 1, b"M"]})
    with pytest.raises(TooLarge, match="keys: more than"):
        union(None, [b"t", [b"a"] * (limits.MAX_BATCH + 1)], {})
