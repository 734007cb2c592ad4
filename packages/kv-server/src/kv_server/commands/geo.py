"""Places on the globe: members of a sorted set whose scores are where they are, in 52 bits.

What sorted sets can, these can: `ZREM` removes a place, `ZCARD` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from kv_protocol.errors import InvalidArgument, NotFound
from kv_server.commands.geo_forms import PLACE_VIEWS, UNITS, Found, Position, Unit, fixed, position_of
from kv_server.commands.geo_search import Order, Search, search
from kv_server.commands.zset_forms import store_scores
from kv_server.commands.zsets import Where, put_scores
from kv_server.engine.tx import Tx
from kv_server.model.geo import LATITUDES, LONGITUDES, Area, decode, distance, encode, hash_text, number_of
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, SLOW, WRITE, View
from kv_server.spec.resp_kinds import Spelled
from kv_server.spec.types import OPTIONAL, Count, Float, Key, Name, Octets, SourceKey, Token

Centre = Annotated[Name | None, Token("FROMMEMBER")]


class Place(NamedTuple):
    """A member and where it is."""

    longitude: Float
    latitude: Float
    member: Name


class Radius(NamedTuple):
    """How far from the middle."""

    radius: Float
    unit: Unit


class Box(NamedTuple):
    """How wide and how high around the middle."""

    width: Float
    height: Float
    unit: Unit


def four_decimals(meters: float | None) -> Octets | None:
    return None if meters is None else fixed(meters)


def spelled_positions(positions: list[Position | None]) -> list[tuple[Spelled, Spelled] | None]:
    return [None if each is None else (Spelled(each.longitude), Spelled(each.latitude)) for each in positions]


@command(
    WRITE | GROWS | FAST,
    group="geo",
    since="0.1",
    cost="O(log size) a member",
    exclusive=(("if_absent", "if_present"),),
    handle="add",
)
def geoadd(
    tx: Tx,
    key: Key,
    /,
    *places: Place,
    if_absent: Annotated[bool, Token("NX")] = False,
    if_present: Annotated[bool, Token("XX")] = False,
    changed: Annotated[bool, Token("CH")] = False,
) -> int:
    """Add *places* to those at *key*, or move those that are there; return how many were added.

    *if_absent* only adds, *if_present* only moves. With *changed* those that were moved count too.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556), "Catania": (15.087269, 37.502669)})
    2
    >>> await client.geoadd("cities", (2.3522, 48.8566, "Paris"), if_absent=True)
    1
    """
    items = []
    for longitude, latitude, member in places:
        check_position(longitude, latitude)
        items.append((float(encode(longitude, latitude)), member))
    return put_scores(tx, key, items, Where(if_absent, if_present, False, False), changed)


@command(
    READ | FAST, group="geo", since="0.1", cost="O(1)", views=(View("decimals", four_decimals),), handle="distance"
)
def geodist(tx: Tx, key: SourceKey, one: Name, other: Name, unit: Unit = "M", /) -> Float | None:
    """Return how far two members at *key* are from each other; nothing if one is not there.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556), "Catania": (15.087269, 37.502669)})
    2
    >>> round(await client.geodist("cities", "Palermo", "Catania", "KM") or 0)
    166
    """
    here, there = tx.zset_scores(key, (one, other))
    if here is None or there is None:
        return None
    return distance(*decode(number_of(here)), *decode(number_of(there))) / UNITS[unit]


@command(
    READ | FAST,
    group="geo",
    since="0.1",
    cost="O(members)",
    views=(View("spelled", spelled_positions),),
    handle="positions",
)
def geopos(tx: Tx, key: SourceKey, /, *members: Annotated[Name, OPTIONAL]) -> list[Position | None]:
    """Return where *members* at *key* are, nothing for those that are not there.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556)})
    1
    >>> position, nothing = await client.geopos("cities", "Palermo", "Rome")
    >>> position and round(position.longitude, 3), nothing
    (13.361, None)
    """
    return [None if score is None else position_of(score) for score in tx.zset_scores(key, members)]


@command(READ | FAST, group="geo", since="0.1", cost="O(members)", handle="hashes")
def geohash(tx: Tx, key: SourceKey, /, *members: Annotated[Name, OPTIONAL]) -> list[str | None]:
    """Return the geohashes of *members* at *key*, 11 characters each, nothing for those that are not there.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556)})
    1
    >>> await client.geohash("cities", "Palermo", "Rome")
    ['sqc8b49rny0', None]
    """
    return [None if score is None else hash_text(number_of(score)) for score in tx.zset_scores(key, members)]


@command(
    READ | SLOW,
    group="geo",
    since="0.1",
    cost="O(log size + members nearby)",
    one_of=(("from_member", "from_position"), ("radius", "box")),
    views=PLACE_VIEWS,
    handle="search",
)
def geosearch(
    tx: Tx,
    key: SourceKey,
    /,
    *,
    from_member: Centre = None,
    from_position: Annotated[Position | None, Token("FROMLONLAT")] = None,
    radius: Annotated[Radius | None, Token("BYRADIUS")] = None,
    box: Annotated[Box | None, Token("BYBOX")] = None,
    order: Order | None = None,
    count: Annotated[Count | None, Token("COUNT")] = None,
    first_found: Annotated[bool, Token("ANY")] = False,
) -> list[Found]:
    """Return the members at *key* within *radius* or *box* around *from_member* or *from_position*.

    *order* sorts them by distance, ASC the nearest first. With *count* the nearest so many are returned, or, with
    *first_found*, the first so many that turn up. Distances are in the unit of the radius or box.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556), "Catania": (15.087269, 37.502669)})
    2
    >>> found = await client.geosearch("cities", from_position=(15, 37), radius=(100, "KM"), order="ASC")
    >>> [(place.member, round(place.distance)) for place in found]
    [('Catania', 56)]
    """
    centre = middle(tx, key, from_member, from_position)
    return search(tx, key, wanted(centre, radius, box, order, count, first_found))


@command(
    WRITE | GROWS | SLOW,
    group="geo",
    since="0.1",
    cost="O(log size + members nearby)",
    one_of=(("from_member", "from_position"), ("radius", "box")),
    handle="store_search",
    event="geosearchstore",
)
def geosearchstore(
    tx: Tx,
    target: Key,
    source: SourceKey,
    /,
    *,
    from_member: Centre = None,
    from_position: Annotated[Position | None, Token("FROMLONLAT")] = None,
    radius: Annotated[Radius | None, Token("BYRADIUS")] = None,
    box: Annotated[Box | None, Token("BYBOX")] = None,
    order: Order | None = None,
    count: Annotated[Count | None, Token("COUNT")] = None,
    first_found: Annotated[bool, Token("ANY")] = False,
    store_distance: Annotated[bool, Token("STOREDIST")] = False,
) -> int:
    """Store at *target* what `GEOSEARCH` returns of *source*, in the place of whatever is there; return how many.

    With *store_distance* the scores are the distances. Where nothing was found, *target* is deleted.

    >>> await client.geoadd("cities", {"Palermo": (13.361389, 38.115556), "Catania": (15.087269, 37.502669)})
    2
    >>> await client.geosearchstore("near", "cities", from_member="Catania", radius=(10, "KM"))
    1
    """
    centre = middle(tx, source, from_member, from_position)
    found = search(tx, source, wanted(centre, radius, box, order, count, first_found))
    return store_found(tx, target, found, store_distance)


def check_position(longitude: float, latitude: float) -> None:
    if LONGITUDES[0] <= longitude <= LONGITUDES[1] and LATITUDES[0] <= latitude <= LATITUDES[1]:
        return
    raise InvalidArgument(f"invalid longitude,latitude pair {longitude:.6f},{latitude:.6f}")


def middle(tx: Tx, key: bytes, member: bytes | None, position: Position | None) -> tuple[float, float] | None:
    """Where a search begins; nothing if there is nothing to search in."""
    if position is not None:
        check_position(*position)
        return position if tx.zset_len(key) else None
    assert member is not None
    return position_of_member(tx, key, member)


def position_of_member(tx: Tx, key: bytes, member: bytes) -> tuple[float, float] | None:
    if not tx.zset_len(key):
        return None
    score = tx.zset_score(key, member)
    if score is None:
        raise NotFound("could not decode requested zset member")
    return decode(number_of(score))


def wanted(
    centre: tuple[float, float] | None,
    radius: Radius | None,
    box: Box | None,
    order: Order | None,
    count: int | None,
    first_found: bool,
) -> Search | None:
    """The search that was asked for, checked; nothing if there is no *centre*."""
    if first_found and count is None:
        raise InvalidArgument("the ANY argument requires COUNT argument")
    meters = UNITS[(radius or box).unit]  # type: ignore[union-attr]
    longitude, latitude = centre or (0.0, 0.0)
    if radius is not None:
        area = Area(longitude, latitude, length(radius.radius, "radius") * meters)
    else:
        assert box is not None
        width, height = length(box.width, "width"), length(box.height, "height")
        area = Area(longitude, latitude, None, width * meters, height * meters)
    return None if centre is None else Search(area, meters, order, count, first_found)


def length(number: float, label: str) -> float:
    if not 0 <= number < float("inf"):
        refused = "cannot be negative" if number < 0 else "must be a finite number"
        raise InvalidArgument(f"{'radius' if label == 'radius' else 'height or width'} {refused}")
    return number


def store_found(tx: Tx, target: bytes, found: Sequence[Found], distances: bool) -> int:
    scores = {each.member: each.distance if distances else float(each.hash) for each in found}
    return store_scores(tx, target, scores)
