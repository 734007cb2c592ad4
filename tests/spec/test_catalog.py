"""The catalog: order, words, what it derives, and every declaration that contradicts itself or another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from kv_protocol.errors import InvalidArgument, UnknownCommand
from kv_server.spec import (
    BLOCKS,
    FAST,
    NATIVE_DOOR,
    READ,
    RESP_DOOR,
    WRITE,
    Catalog,
    Flag,
    Int,
    Key,
    LockName,
    SourceKey,
    Token,
    View,
    command,
)  # fmt: skip
from kv_server.spec.command import declaration_of

ABOUT: Any = {"group": "test", "since": "0.1", "cost": "O(1)"}


@command(READ | FAST, **ABOUT, aliases=("FETCH",))
def get(tx: Any, key: Key, /) -> int:
    """Get.

    All of it.
    """
    return 1


@command(WRITE, **ABOUT, name="LOCK BREAK", method="break_lock")
def break_(node: Any, name: LockName, source: SourceKey, /) -> None:
    """Break."""


@command(READ, **ABOUT, doors=RESP_DOOR)
def select(session: Any, number: Int, /) -> None:
    """Select."""


@command(READ | BLOCKS, **ABOUT, doors=NATIVE_DOOR, method=None)
def watch(session: Any, /, *keys: SourceKey) -> None:
    """Watch."""


CATALOG = Catalog((get, break_, select, watch))


def test_the_decorator_returns_the_function_itself() -> None:
    assert get(None, b"k") == 1
    assert declaration_of(get) is CATALOG["GET"].declaration
    assert declaration_of(len) is None
    assert declaration_of([]) is None


def test_a_callable_that_takes_no_attributes_can_be_declared() -> None:
    class Fixed:
        __slots__ = ("__name__",)

        def __init__(self) -> None:
            self.__name__ = "fixed"

        def __call__(self, tx: Any) -> None: ...

    fixed = command(READ, **ABOUT)(Fixed())
    declaration = declaration_of(fixed)
    assert declaration is not None
    assert declaration.name == "FIXED"


def test_modules_give_their_own_commands_in_order() -> None:
    home = SimpleNamespace(__name__=__name__, watch=watch, get=get, alias=get, Any=Any)
    foreign = SimpleNamespace(__name__="elsewhere", get=get)
    assert [entry.name for entry in Catalog.of(home)] == ["WATCH", "GET"]
    assert len(Catalog.of(foreign)) == 0


def test_each_door_has_its_words() -> None:
    assert list(CATALOG.commands) == [b"GET", b"LOCK BREAK", b"WATCH"]
    assert list(CATALOG.words) == [b"GET", b"FETCH", b"LOCK BREAK", b"SELECT"]
    assert [entry.bit for entry in CATALOG] == [0, 1, 2, 3]
    assert CATALOG["GET"] in CATALOG
    assert "GET" not in CATALOG


def test_words_are_found_in_any_case() -> None:
    assert CATALOG.find(b"GET") is CATALOG.find(b"get") is CATALOG["GET"]
    assert CATALOG.find_text([b"fetch", b"k"]) is CATALOG["GET"]
    assert CATALOG.find_text([b"lock", b"Break", b"k"]) is CATALOG["LOCK BREAK"]
    assert CATALOG.find_text([b"get", b"break"]) is CATALOG["GET"]
    with pytest.raises(UnknownCommand, match=r"^unknown command FETCH$"):
        CATALOG.find(b"FETCH")
    with pytest.raises(UnknownCommand, match=r"^unknown command 'a\tb\udcff', with args beginning with: 'c' $"):
        CATALOG.find_text([b"a\tb\xff", b"c\0d"])
    with pytest.raises(UnknownCommand, match=r"^unknown subcommand 'bake'. Try LOCK HELP.$"):
        CATALOG.find_text([b"lock", b"bake"])
    with pytest.raises(InvalidArgument, match=r"^wrong number of arguments for 'lock' command$"):
        CATALOG.find_text([b"lock"])


def test_an_error_names_the_word_that_was_called() -> None:
    for word in ("get", "fetch"):
        with pytest.raises(InvalidArgument, match=f"^wrong number of arguments for '{word}' command$"):
            CATALOG.find_text([word.encode()]).bind_text([word.encode()])


def test_a_command_derives_what_it_does_not_declare() -> None:
    entry = CATALOG["LOCK BREAK"]
    assert entry.acl == ("write", "test", "slow")
    assert entry.place == "node"
    assert entry.flags == Flag.WRITE
    assert entry.usage == "LOCK BREAK name source"
    assert entry.keys(entry.bind_typed([b"l", b"k"], None)) == [(b"k", READ)]
    assert repr(entry) == "<command LOCK BREAK>"
    assert CATALOG["GET"].doc == "Get.\n\nAll of it."
    assert (CATALOG["GET"].since, CATALOG["GET"].cost) == ("0.1", "O(1)")
    assert CATALOG["GET"].keys(CATALOG["GET"].bind_text([b"GET", b"k"])) == [(b"k", READ)]


def test_the_catalog_prints_as_a_table() -> None:
    assert str(CATALOG).splitlines()[:2] == ["test  GET key", "test  LOCK BREAK name source"]


def test_the_generated_source_is_one_module() -> None:
    compile(CATALOG.source(), "binders", "exec")
    assert "def lock_break_call(" in CATALOG.source()


def named(name: str, **more: Any) -> Any:
    def function(tx: Any, key: Key, /, *, ttl: Annotated[Int | None, Token("EX")] = None, nx: bool = False) -> int:
        return 0

    function.__name__ = name.lower()
    return command(READ, **ABOUT, name=name, **more)(function)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ([get, get], "GET is declared twice"),
        ([named("A", aliases=("B",)), named("B")], "B is declared twice"),
        ([named("small"), named("SMALL", aliases=("small",))], "not in upper case"),
        ([named("A", method="x"), named("B", method="x")], "would be the client's method x both"),
        ([named("A", selects={"GET": "B"})], "A selects B, which is no command"),
        ([named("A", selects={"GET": "GET"}), get], "A selects GET, which has other parameters"),
    ],
)
def test_commands_that_contradict_each_other_stop_the_start(functions: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Catalog(functions)


def same(reply: Any) -> Any:
    return reply


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"exclusive": (("ttl", "px"),)}, "px"),
        ({"views": (View("one", same, without="count"),)}, "count is no parameter"),
        ({"aliases": ("TWO WORDS",)}, "as many words"),
        ({"selects": {"EX": "B"}}, "two meanings for EX"),
        ({"views": (View("one", same, tokens=("NX",)),)}, "two meanings for NX"),
    ],
)
def test_a_declaration_that_contradicts_its_signature_stops_the_start(more: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Catalog([named("A", **more)])


def test_what_was_not_declared_is_no_command() -> None:
    with pytest.raises(TypeError, match="is no command"):
        Catalog([len])
