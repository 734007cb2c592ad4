"""Replies: how an annotation becomes a form, what of it needs work before it is packed, and its schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import pytest

from kv_protocol.types import Change, Entry, LockInfo, ScanPage
from kv_server.spec import PAIRS, READ, Catalog, Duration, Key, Name, Text, Value, command
from kv_server.spec.reply import FormKind, form_of, present_expression


class Mixed(NamedTuple):
    name: Name
    number: int
    inner: Entry[Value] | None
    page: ScanPage


def presented(annotation: Any, reply: Any) -> Any:
    """What a command with that reply annotation has the packer pack."""

    def probe(tx: Any) -> Any: ...

    probe.__annotations__["return"] = annotation
    present = Catalog([command(READ, group="test", since="0.1", cost="O(1)")(probe)])["PROBE"].present
    return reply if present is None else present(reply)


@pytest.mark.parametrize(
    "annotation",
    [
        None, int, bool, float, Value, Value | None, list[Value | None], Entry[Value] | None, tuple[int, Value], Any,
        Literal["a", "b"], Text, Duration | None, dict[Text, int] | None, list[Entry[Value]],
    ],
)  # fmt: skip
def test_most_replies_are_packed_as_they_are(annotation: Any) -> None:
    assert (present_expression(form_of(annotation)) is None) is (annotation != dict[Text, int] | None)


def test_a_name_is_str_where_it_is_utf8_and_bytes_where_not() -> None:
    assert presented(Key, b"a") == "a"
    assert presented(Key, b"\xff") == b"\xff"
    assert presented(str, "\udcff") == b"\xff"
    assert presented(list[Name], [b"a", b"\xff"]) == ["a", b"\xff"]
    assert presented(Name | None, None) is None
    assert presented(dict[str, list[str]], {"a": ["b", "\udcff"]}) == {"a": ["b", b"\xff"]}
    assert presented(tuple[Key, Value] | None, (b"k", b"\x01")) == ("k", b"\x01")
    assert presented(tuple[Name, ...], (b"a",)) == ["a"]


def test_a_record_is_taken_apart_only_if_it_holds_names() -> None:
    page = ScanPage(7, ["a", "\udcff"])
    assert presented(ScanPage, page) == (7, ["a", b"\xff"])
    lock = LockInfo("l", 1, "me", 2, 3, 4, 5, 6, 1)
    assert presented(list[LockInfo], [lock]) == [tuple(lock)]
    mixed = Mixed(b"n", 1, Entry(b"\x01", 2, None), page)
    assert presented(Mixed, mixed) == ("n", 1, Entry(b"\x01", 2, None), (7, ["a", b"\xff"]))


def test_a_generic_record_takes_its_parameter() -> None:
    form = form_of(Change[Value])
    assert form.fields()["value"].part.row is form_of(Value).row
    assert form.fields()["key"].kind is FormKind.OPTIONAL


@pytest.mark.parametrize("annotation", [set[int], list[set[int]], Annotated[list[tuple[int, int]], PAIRS] | None])
def test_only_a_view_may_reply_what_only_resp_has(annotation: Any) -> None:
    with pytest.raises(TypeError, match="is for a view to make"):
        presented(annotation, None)


@pytest.mark.parametrize("annotation", [complex, int | str, int | str | None, dict[int, str]])
def test_a_reply_has_one_kind(annotation: Any) -> None:
    with pytest.raises(TypeError):
        form_of(annotation)


def test_the_schema_describes_arguments_and_reply(hard: Catalog) -> None:
    schema = hard["ZADD"].schema
    properties = schema["arguments"]["properties"]
    assert schema["arguments"]["required"] == ["key", "items"]
    assert properties["items"]["minItems"] == 1
    assert [part["title"] for part in properties["items"]["items"]["prefixItems"]] == ["score", "member"]
    assert properties["condition"] == {"enum": ["NX", "XX"]}
    assert properties["ch"] == {"type": "boolean", "default": False}
    assert schema["reply"]["type"] == "integer"
    assert "minItems" not in hard["EVAL"].schema["arguments"]["properties"]["args"]
    assert "any" in hard["GEOSEARCH"].schema["arguments"]["properties"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (None, {"type": "null"}),
        (Any, {}),
        (Literal["a"], {"enum": ["a"]}),
        (bool | None, {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (tuple[bool], {"type": "array", "prefixItems": [{"type": "boolean"}], "items": False, "minItems": 1}),
    ],
)
def test_each_form_has_a_schema(annotation: Any, schema: dict[str, Any]) -> None:
    def probe(tx: Any) -> Any: ...

    probe.__annotations__["return"] = annotation
    assert Catalog([command(READ, group="test", since="0.1", cost="O(1)")(probe)])["PROBE"].schema["reply"] == schema
