"""What is typed is what is called: every command of the table takes the words for any arguments that fit it."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kv_client.shell._grammar import dashed, parse, usage
from kv_client.shell._help import help_text
from kv_client.shell._notation import duration_ms, jsonable, parsed, time_ms, value_of, written
from kv_client.shell._table import Row, WrongUse, table
from kv_client.shell._toolbox import TOOLS
from kv_protocol.errors import CommandError
from kv_protocol.values import decode, encode
from kv_server.commands import CATALOG
from kv_server.spec.command import NATIVE_DOOR, Command
from tests.commands.calls import values
from tests.laws.arguments import Stage, draw_arguments

METHODS = [entry for entry in CATALOG if entry.declaration.method and entry.declaration.doors & NATIVE_DOOR]
ABSENT = object()
OWN_OPTIONS = {"--json", "--text", "--fence", "--help"}


# ---- the table
def test_the_shell_has_every_command_that_the_client_has() -> None:
    assert list(table()) == [entry.name for entry in METHODS]


def test_no_command_has_an_option_that_is_the_shell_s_own() -> None:
    for name, row in table().items():
        assert not OWN_OPTIONS & {dashed(param) for param in row["params"]}, name


def test_no_tool_hides_a_command_that_cannot_be_written_in_capitals() -> None:
    assert {word for word in TOOLS if word.upper() in table()} == {"scan", "locks"}


@pytest.mark.parametrize("name", table())
def test_every_command_has_help(name: str) -> None:
    lines = help_text(name.lower().split())
    assert lines[0].startswith(f"usage: kv {name.lower()}")
    assert table()[name]["doc"].split()[0] in lines[lines.index("") + 1]
    assert all(len(line) <= 100 for line in lines)


# ---- words
def words_of(command: Command, args: list[Any], options: dict[bytes, Any]) -> list[str]:
    """How a person writes these arguments."""
    row = table()[command.name]
    places = [param for param in row["params"] if not param.get("option")]
    words = command.name.lower().split()
    rest = list(args)
    for param in places:
        several = rest if param.get("many") == "tail" else rest.pop(0) if rest and param.get("many") else rest[:1]
        if param.get("many") == "tail":
            rest = []
        elif not param.get("many"):
            rest = rest[1:]
        for each in several:
            words += word_of(param["type"], each)
    before = ["--"] if any(word.startswith("--") for word in words) else []
    named: list[str] = []
    for param in row["params"]:
        given = options.get(param["name"].encode())
        if not param.get("option") or given is None:
            continue
        if param["type"] == "bool":
            named += [dashed(param)] if given is not param["default"] else []
            continue
        for each in given if param.get("many") else [given]:
            named += [dashed(param), *word_of(param["type"], each)]
    split = len(command.name.split())
    return [*words[:split], *named, *before, *words[split:]]


def word_of(kind: Any, each: Any) -> list[str]:
    if isinstance(kind, dict):
        return [word for (_, part), item in zip(kind["fields"], each, strict=True) for word in word_of(part, item)]
    if kind in ("value", "number"):
        return [written(decode(each))]
    if kind == "octets":
        return [written(each)]
    if kind in ("duration", "timeout"):
        return [f"{each}ms"]
    if kind == "time":
        return [repr(each / 1000)]
    if isinstance(each, bytes):
        return [each.decode("utf-8", "surrogateescape")]
    return [str(each).lower() if each is True or each is False else str(each)]


def as_octets(sent: Any) -> Any:
    if isinstance(sent, str):
        return sent.encode()
    if isinstance(sent, list | tuple):
        return [as_octets(each) for each in sent]
    return sent


def refusal(command: Command, args: list[Any], options: dict[bytes, Any]) -> str:
    """What the server has against this call, before it is run."""
    try:
        command.bind_typed(args, options or None)
    except CommandError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("command", METHODS, ids=lambda command: command.name)
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_words_for_fitting_arguments_ask_for_those(stage: Stage, command: Command, data: st.DataObject) -> None:
    args, options = draw_arguments(data.draw, command, stage)
    options = {name: each for name, each in (options or {}).items() if each is not None and each != []}
    words = words_of(command, args, options)
    asked = parse(words)
    assert asked.name == command.name
    row = table()[command.name]
    assert _ends(row, as_octets(asked.args)) == _ends(row, args)
    flags = {
        param["name"].encode(): param["default"]
        for param in row["params"]
        if param["type"] == "bool" and "default" in param
    }
    want = {name: as_octets(each) for name, each in options.items() if each is not flags.get(name, ABSENT)}
    got = {name.encode(): as_octets(each) for name, each in (asked.options or {}).items()}
    assert got == want
    assert refusal(command, as_octets(asked.args), got) == refusal(command, args, options)


def _ends(row: Row, args: list[Any]) -> list[Any]:
    """Ends of ranges as text, whatever they travel as."""
    places = [param for param in row["params"] if not param.get("option")]
    bounds = {at for at, param in enumerate(places) if param["type"] == "bound"}
    shown = [each if isinstance(each, bytes) else str(each).encode() for each in args]
    return [shown[at] if at in bounds else as_octets(each) for at, each in enumerate(args)]


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_any_words_are_a_call_or_are_refused_in_words(words: list[str]) -> None:
    for name in ("set", "zadd", "lmpop", "bitfield", "geosearch", "xadd", *words[:1]):
        try:
            parse([name, *words], source=lambda word: b"")
        except WrongUse as error:
            assert str(error)


@pytest.mark.parametrize(
    ("line", "args", "options"),
    [
        ("set a 5", ["a", encode(5)], None),
        ("SET a '\"5\"'", ["a", encode("5")], None),
        ("set a hello --ttl 1h --if-absent", ["a", encode("hello")], {"ttl": 3_600_000, "if_absent": True}),
        ("set --ttl=250ms a true", ["a", encode(True)], {"ttl": 250}),
        ("set a --text 5", ["a", encode("5")], None),
        ("set -- --a --b", ["--a", encode("--b")], None),
        ("incr a --by 2.5", ["a"], {"by": encode(2.5)}),
        ('incr a --by \'{"decimal": "0.10"}\'', ["a"], {"by": encode(Decimal("0.10"))}),
        ("hset h f 1 g [1]", ["h", ["f", encode(1)], ["g", encode([1])]], None),
        ("lmpop a b left", [["a", "b"], "LEFT"], None),
        ("zadd z 1.5 m", ["z", [1.5, "m"]], None),
        ("bitfield b get u8 0 incrby u8 8 3", ["b", ["GET", "u8", 0, 0, "WRAP"], ["INCRBY", "u8", 8, 3, "WRAP"]], None),
        ("set a 1 --lease job 7", ["a", encode(1)], {"lease": ["job", 7]}),
        ("sort-ro l --get a --get b", ["l"], {"get": ["a", "b"]}),
        ("xadd s n 1 --no-create", ["s", ["n", encode(1)]], {"create": False}),
        ("expireat k 2026-01-31T12:00:00Z", ["k", 1_769_860_800_000], None),
        ("acquire_lock job --wait 0", ["job"], {"wait": 0}),
        ("setbit b 7 on", ["b", 7, True], None),
    ],
)
def test_a_line_asks_for(line: str, args: list[Any], options: dict[str, Any] | None) -> None:
    asked = parse(shlex.split(line))
    assert list(asked.args) == args
    assert asked.options == options


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("gett a", "there is no command 'gett'; did you mean GET?"),
        ("get", "too few words: get KEY"),
        ("get a b", "too many words: get KEY"),
        ("set a 1 --tll 5", "set has no option --tll; did you mean --ttl?"),
        ("set a 1 --ttl", "--ttl needs 1 word after it"),
        ("set a 1 --ttl soon", "'soon' is no duration"),
        ("set a 1 --ttl 1 --ttl 2", "--ttl is given twice"),
        ("set a 1 --if-absent=yes", "--if-absent takes no words after it"),
        ("hset h f", "FIELD VALUE belong together"),
        ("bitfield b u8 0", "belong together"),
        ("lmove a b up left", "take is LEFT or RIGHT, not 'up'"),
        ("incr a --by many", "'many' is no number"),
        ("getrange a x 5", "'x' is no whole number"),
        ("zadd z high m", "score: 'high' is no float"),
        ("expireat k tomorrow", "'tomorrow' is no time"),
        ("set a @nowhere", "@nowhere: No such file or directory"),
        ("get a --fence l 1", "get has no option --fence"),
    ],
)
def test_wrong_words_are_told(line: str, says: str) -> None:
    with pytest.raises(WrongUse) as refusal:
        parse(shlex.split(line))
    assert says in str(refusal.value)


def test_usage_shows_what_may_be_left_out() -> None:
    assert usage("LMPOP", table()["LMPOP"]) == "lmpop KEYS [KEYS ...] LEFT|RIGHT [--count COUNT]"
    assert usage("HSET", table()["HSET"]) == "hset KEY FIELD VALUE [FIELD VALUE ...]"


# ---- values
@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    text = written(value)
    again = parsed(text)
    assert encode(again) == encode(value)
    assert written(again) == text
    assert text.isascii() or not any(0x7F <= ord(char) < 0xA0 for char in text)


@given(st.text())
def test_any_word_is_a_value(word: str) -> None:
    encode(value_of(word))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("hello", "hello"), ("5", 5), ("5.0", 5.0), ('"5"', "5"), ("true", True), ("null", None), ("[1, 2]", [1, 2]),
        ('{"a": {"decimal": "1.50"}}', {"a": Decimal("1.50")}), ('{"base64": "AAE="}', b"\x00\x01"),
        ('{"base64": 5}', {"base64": 5}), ('{"map": {"base64": "AAE="}}', {"base64": "AAE="}), ("NaN", "NaN"),
        ('{"float": "inf"}', float("inf")), ("\udcff", b"\xff"), ("{broken", "{broken"),
        ('{"datetime": "2026-01-31T12:00:00Z"}', datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_word_is_the_value(word: str, value: Any) -> None:
    found = value_of(word)
    assert (found, type(found)) == (value, type(value))


def test_json_documents_are_plain() -> None:
    assert json.loads(written({"a": b"\xff", "b": (1, Decimal(2))})) == {
        "a": {"base64": "/w=="},
        "b": [1, {"decimal": "2"}],
    }
    assert jsonable({1: "x"}) == {"1": "x"}
    assert written("\x1b[31m\x9b\u202e") == '"\\u001b[31m\\u009b\\u202e"'


@pytest.mark.parametrize(
    ("word", "ms"),
    [("90", 90_000), ("1.5s", 1_500), ("10m", 600_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1ms", 1)],
)
def test_durations(word: str, ms: int) -> None:
    assert duration_ms(word) == ms


def test_times() -> None:
    assert time_ms("1769860800.5") == 1_769_860_800_500
    assert time_ms("2026-01-31T13:00:00+01:00") == 1_769_860_800_000
    with pytest.raises(WrongUse):
        time_ms("2026-01-31T12:00:00")
