"""The older words of Redis for `GEOSEARCH` and `GEOSEARCHSTORE`: text clients alone know them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from kv_protocol.errors import InvalidArgument
from kv_server.commands.geo import (
    Radius,
    check_position,
    position_of_member,
    store_found,
    wanted,
)  # fmt: skip
from kv_server.commands.geo_forms import Unit, shown
from kv_server.commands.geo_search import Order, search
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import GROWS, READ, RESP_DOOR, SLOW, WRITE
from kv_server.spec.resp_kinds import in_parts
from kv_server.spec.types import Count, Float, Key, Name, SourceKey, Token

Limit = Annotated[Count | None, Token("COUNT")]
Store = Annotated[Key | None, Token("STORE")]
StoreDistance = Annotated[Key | None, Token("STOREDIST")]
Centre = tuple[float, float] | None
COST = "O(log size + members nearby)"


@command(
    WRITE | GROWS | SLOW, group="geo", since="0.1", cost=COST, doors=RESP_DOOR, method=None,
    event="georadiusstore",
)  # fmt: skip
def georadius(
    tx: Tx,
    key: SourceKey,
    longitude: Float,
    latitude: Float,
    radius: Float,
    unit: Unit,
    /,
    *,
    withcoord: bool = False,
    withdist: bool = False,
    withhash: bool = False,
    count: Limit = None,
    first_found: Annotated[bool, Token("ANY")] = False,
    order: Order | None = None,
    store: Store = None,
    storedist: StoreDistance = None,
) -> object:
    """Search around a point, and return or store what is there."""
    asked = (withdist, withhash, withcoord)
    around = point(tx, key, longitude, latitude)
    return keep_or_show(tx, key, around, Radius(radius, unit), count, first_found, order, asked, store, storedist)


@command(
    WRITE | GROWS | SLOW, group="geo", since="0.1", cost=COST, doors=RESP_DOOR, method=None,
    event="georadiusstore",
)  # fmt: skip
def georadiusbymember(
    tx: Tx,
    key: SourceKey,
    member: Name,
    radius: Float,
    unit: Unit,
    /,
    *,
    withcoord: bool = False,
    withdist: bool = False,
    withhash: bool = False,
    count: Limit = None,
    first_found: Annotated[bool, Token("ANY")] = False,
    order: Order | None = None,
    store: Store = None,
    storedist: StoreDistance = None,
) -> object:
    """Search around a member, and return or store what is there."""
    asked = (withdist, withhash, withcoord)
    around = position_of_member(tx, key, member)
    return keep_or_show(tx, key, around, Radius(radius, unit), count, first_found, order, asked, store, storedist)


@command(READ | SLOW, group="geo", since="0.1", cost=COST, doors=RESP_DOOR, method=None)
def georadius_ro(
    tx: Tx,
    key: SourceKey,
    longitude: Float,
    latitude: Float,
    radius: Float,
    unit: Unit,
    /,
    *,
    withcoord: bool = False,
    withdist: bool = False,
    withhash: bool = False,
    count: Limit = None,
    first_found: Annotated[bool, Token("ANY")] = False,
    order: Order | None = None,
) -> object:
    """Search around a point as `GEORADIUS`, which never stores anything here."""
    asked = (withdist, withhash, withcoord)
    around = point(tx, key, longitude, latitude)
    return keep_or_show(tx, key, around, Radius(radius, unit), count, first_found, order, asked)


@command(READ | SLOW, group="geo", since="0.1", cost=COST, doors=RESP_DOOR, method=None)
def georadiusbymember_ro(
    tx: Tx,
    key: SourceKey,
    member: Name,
    radius: Float,
    unit: Unit,
    /,
    *,
    withcoord: bool = False,
    withdist: bool = False,
    withhash: bool = False,
    count: Limit = None,
    first_found: Annotated[bool, Token("ANY")] = False,
    order: Order | None = None,
) -> object:
    """Search around a member as `GEORADIUSBYMEMBER`, which never stores anything here."""
    asked = (withdist, withhash, withcoord)
    around = position_of_member(tx, key, member)
    return keep_or_show(tx, key, around, Radius(radius, unit), count, first_found, order, asked)


def point(tx: Tx, key: bytes, longitude: float, latitude: float) -> Centre:
    check_position(longitude, latitude)
    return (longitude, latitude) if tx.zset_len(key) else None


def keep_or_show(
    tx: Tx,
    key: bytes,
    around: Centre,
    radius: Radius,
    count: int | None,
    first_found: bool,
    order: Order | None,
    asked: tuple[bool, bool, bool],
    store: bytes | None = None,
    storedist: bytes | None = None,
) -> object:
    """Search; then store what was found if a target was given, else say what there is."""
    target = store if storedist is None else storedist
    if target is not None and any(asked):
        raise InvalidArgument(
            "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        )
    found = search(tx, key, wanted(around, radius, None, order, count, first_found))
    if target is None:
        return in_parts(partial(shown, asked=asked))(found)
    return store_found(tx, target, found, storedist is not None)
