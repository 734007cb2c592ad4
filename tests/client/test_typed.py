"""Typed values: what goes in comes out as an object of its class, or says why not, whatever makes the class."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kv_client
from kv_client._schema import Schema
from kv_protocol.values import decode, encode
from tests.client.test_with_server import opened, served


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Line:
    text: str
    count: int = 1


FIELDS: dict[str, Any] = {
    "name": str, "balance": Decimal, "photo": bytes, "seen": datetime, "born": date, "id": UUID, "colour": Colour,
    "lines": list[Line], "shares": dict[str, float], "boss": int | None,
}  # fmt: skip
ATTRS = attrs.make_class("ATTRS", {name: attrs.field(type=kind) for name, kind in FIELDS.items()})
DATACLASS = dataclasses.make_dataclass("DATACLASS", list(FIELDS.items()))
STRUCT = msgspec.defstruct("STRUCT", list(FIELDS.items()))
MODEL = pydantic.create_model("MODEL", **{name: (kind, ...) for name, kind in FIELDS.items() if name != "lines"})

ADA: dict[str, Any] = {
    "name": "Ada", "balance": Decimal("10.50"), "photo": b"\x00\xff",
    "seen": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "born": date(1815, 12, 10), "id": UUID(int=7), "colour": Colour.RED, "lines": [Line("a"), Line("b", 2)],
    "shares": {"x": 0.5}, "boss": None,
}  # fmt: skip


@pytest.mark.parametrize("kind", [ATTRS, DATACLASS, STRUCT, MODEL], ids=lambda kind: kind.__name__)
def test_an_object_of_any_kind_comes_back_equal(kind: Any) -> None:
    given = {name: value for name, value in ADA.items() if name != "lines" or kind is not MODEL}
    schema = Schema(kind, 1, None)
    item = kind(**given)
    value = decode(encode(schema.dump(item)))
    assert value["$version"] == 1
    assert value["balance"] == Decimal("10.50")
    assert value["photo"] == b"\x00\xff"
    assert value["seen"] == ADA["seen"]
    assert schema.load(value) == item


@attrs.frozen
class User:
    name: str
    age: int = 0


@given(st.builds(User, st.text(), st.integers(-(2**63), 2**64 - 1)))
def test_whatever_the_fields_hold_comes_back(user: User) -> None:
    schema = Schema(User, 3, None)
    assert schema.load(decode(encode(schema.dump(user)))) == user


def test_an_older_value_is_upgraded_and_a_newer_one_refused() -> None:
    def upgrade(fields: dict[str, Any], version: int) -> dict[str, Any]:
        first, _, last = fields["name"].partition(" ")
        return {"first": first, "last": last, "was": version}

    @dataclasses.dataclass
    class Person:
        first: str
        last: str
        was: int = 3

    schema = Schema(Person, 3, upgrade)
    assert schema.load({"name": "Ada King"}) == Person("Ada", "King", 1)
    assert schema.load({"$version": 2, "name": "Ada King"}) == Person("Ada", "King", 2)
    with pytest.raises(kv_client.SchemaMismatch, match="version 4 of it; this program knows 3"):
        schema.load({"$version": 4, "first": "Ada"})
    with pytest.raises(kv_client.SchemaMismatch, match="written by version 1: 'name'"):
        schema.load({"$version": 1})
    with pytest.raises(kv_client.SchemaMismatch, match="no `upgrade` was given"):
        Schema(Person, 3, None).load({"$version": 2})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (7, "a int is no User"),
        (None, "a NoneType is no User"),
        ({"$version": 1}, "missing required field `name`"),
        ({"$version": 1, "name": 7}, "Expected `str`, got `int`"),
        ({"$version": "1", "name": "x"}, "version '1' of it"),
        ({"$version": 0, "name": "x"}, "version 0 of it"),
    ],
)
def test_a_value_that_does_not_fit_says_why(value: Any, why: str) -> None:
    with pytest.raises(kv_client.SchemaMismatch, match=why) as caught:
        Schema(User, 1, None).load(value)
    assert caught.value.details["class"] == "User"


@pytest.mark.parametrize("kind", [int, dict, Colour, "User", list[User], User | None])
def test_what_is_no_class_of_fields_is_refused(kind: Any) -> None:
    with pytest.raises(kv_client.InvalidArgument, match="typed values are of an attrs class"):
        Schema(kind, 1, None)


def test_mistakes_of_the_caller_are_told() -> None:
    schema = Schema(User, 1, None)
    with pytest.raises(kv_client.InvalidArgument, match="a User is wanted, not dict"):
        schema.dump({"name": "Ada"})  # type: ignore[arg-type]
    with pytest.raises(kv_client.InvalidArgument, match="User: "):
        schema.dump(User(object()))  # type: ignore[arg-type]
    with pytest.raises(kv_client.InvalidArgument, match="from 1"):
        Schema(User, 0, None)


async def test_a_typed_view_does_what_the_plain_one_does() -> None:
    async with served() as url, opened(url) as client:
        users = client.typed(User)
        assert await users.get("ada") is None
        assert await users.get("ada", default=0) == 0
        assert await users.get_entry("ada") is None
        assert await users.add("ada", User("Ada"))
        assert not await users.add("ada", User("Eve"))
        version = await users.set("ada", User("Ada", 36), ttl=60)
        entry = await users.get_entry("ada")
        assert entry is not None
        assert (entry.value, entry.version) == (User("Ada", 36), version)
        with pytest.raises(kv_client.ConditionFailed) as caught:
            await users.set("ada", User("Eve"), if_version=1)
        assert caught.value.current.value == User("Ada", 36)
        await users.set_many({"bob": User("Bob"), "cy": User("Cy")})
        assert await users.get_many("bob", "nobody", "cy") == [User("Bob"), None, User("Cy")]
        assert await users.update("bob", lambda user: attrs.evolve(user, age=user.age + 1)) == User("Bob", 1)
        with pytest.raises(kv_client.NotFound, match="no User at 'dan'"):
            await users.update("dan", lambda user: user)
        assert await users.update("dan", lambda user: user, default=User("Dan")) == User("Dan")
        assert await users.update("dan", lambda _: kv_client.DELETE) is None
        assert await users.get("dan") is None
        assert await users.update("bob", lambda _: kv_client.ABORT) == User("Bob", 1)
        await client.set("number", 7)
        with pytest.raises(kv_client.SchemaMismatch):
            await users.get("number")
        async with client.transaction() as tx:
            tx.set("eve", users.dump(User("Eve")))
        assert await users.get("eve") == User("Eve")
