"""Reading a signature: every shape there is, and every signature that no command line could be read back from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from kv_server.spec import NATIVE, OPTIONAL, Counted, Duration, Int, Key, Label, Name, Same, Token, Unit
from kv_server.spec.signature import Choice, Many, Shape, signature_of


class Inner(NamedTuple):
    a: Int


class Outer(NamedTuple):
    inner: Inner


def everything(
    tx: Missing,  # type: ignore[name-defined]  # noqa: F821
    key: Key,
    others: Annotated[Counted[Name], OPTIONAL, Label("other")],
    /,
    *rest: Inner,
    flag: bool = False,
    default_true: bool = True,
    kind: Literal["A", "B"] | None = None,
    named: Annotated[Literal["C", "D"], Token("KIND")] = "C",
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    gets: tuple[Name, ...] = (),
    hidden: Annotated[Int, NATIVE] = 0,
    last: Annotated[Duration, Unit(1000)],
    weights: Annotated[tuple[Int, ...] | None, Same("others")] = None,
) -> None: ...


def test_each_parameter_has_its_shape() -> None:
    signature = signature_of(everything)
    params = {param.name: param for param in signature.params}
    assert signature.place == "tx"
    assert [param.shape for param in signature.params] == [
        Shape.FIXED, Shape.COUNTED, Shape.TAIL, Shape.TOKEN, Shape.OPTION, Shape.CHOICE, Shape.OPTION, Shape.OPTION,
        Shape.OPTION, Shape.OPTION, Shape.LAST, Shape.OPTION,
    ]  # fmt: skip
    assert params["others"].empty
    assert params["others"].label == "other"
    assert params["flag"].tokens == (Token("FLAG"),)
    assert params["default_true"].tokens == (Token("DEFAULTTRUE"),)
    assert isinstance(params["named"].element, Choice)
    assert params["ttl"].tokens == (Token("EX", 1000), Token("PX"))
    assert params["gets"].many is Many.AGAIN
    assert params["weights"].many is Many.SAME
    assert params["hidden"].native
    assert params["last"].required
    assert params["last"].scale == 1000
    assert signature.tail is params["rest"]
    assert signature.positional == signature.params[:3]
    assert signature.options == signature.params[3:]


def no_place(key: Key) -> None: ...
def no_reply(tx: Any, key: Key): ...  # type: ignore[no-untyped-def]
def no_annotation(tx: Any, key) -> None: ...  # type: ignore[no-untyped-def]
def unknown_type(tx: Any, key: complex) -> None: ...
def two_types(tx: Any, key: int | str) -> None: ...
def nested_record(tx: Any, block: Outer) -> None: ...
def plain_tuple(tx: Any, keys: tuple[Name, ...]) -> None: ...
def optional_before_required(tx: Any, count: Int = 1, *keys: Key) -> None: ...
def native_positional(tx: Any, key: Annotated[Key, NATIVE]) -> None: ...
def native_required(tx: Any, *, key: Annotated[Key, NATIVE]) -> None: ...
def counted_last(tx: Any, *, keys: Counted[Key]) -> None: ...
def same_as_nothing(tx: Any, *, weights: Annotated[tuple[Int, ...], Same("keys")] = ()) -> None: ...
def two_counted_tokens(tx: Any, *, a: Annotated[Counted[Key], Token("A"), Token("B")]) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        no_place, no_reply, no_annotation, unknown_type, two_types, nested_record, plain_tuple, native_positional,
        optional_before_required, native_required, counted_last, same_as_nothing, two_counted_tokens,
    ],
)  # fmt: skip
def test_a_signature_that_is_no_grammar_stops_the_start(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=f"^{function.__name__}: "):
        signature_of(function)
