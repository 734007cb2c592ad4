"""Searches for places against looking at every one of them."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kv_protocol.errors import InvalidArgument, NotFound
from kv_server.commands import CATALOG
from kv_server.model.geo import LATITUDES, LONGITUDES, Area, decode, distance, encode
from tests.commands.test_members import SETS, ZSETS
from tests.engine.profile import examples
from tests.engine.rig import Rig

METERS = {"M": 1.0, "KM": 1000.0, "FT": 0.3048, "MI": 1609.34}

degrees = st.tuples(st.floats(*LONGITUDES), st.floats(*LATITUDES))
close = st.tuples(st.floats(12, 14), st.floats(37, 39))
points = degrees | close
units = st.sampled_from(sorted(METERS))
lengths = st.floats(0, 500) | st.floats(0, 20_000)


@settings(max_examples=examples(150))
@given(
    places=st.lists(points, min_size=1, max_size=25),
    where=points | st.none(),
    shape=st.tuples(lengths, units) | st.tuples(lengths, lengths, units),
    order=st.sampled_from([None, "ASC", "DESC"]),
    count=st.none() | st.integers(1, 5),
    first_found=st.booleans(),
)
def test_a_search_finds_what_is_there(
    places: list[tuple[float, float]], where: Any, shape: Any, order: str | None, count: int | None, first_found: bool
) -> None:
    client = Rig(strict=True).connect()
    client.call("GEOADD", "g", *((*place, b"%d" % number) for number, place in enumerate(places)))
    stored = {b"%d" % number: decode(int(float(encode(*place)))) for number, place in enumerate(places)}
    *sides, unit = shape
    meters = METERS[unit]
    middle = stored[b"0"] if where is None else where
    radius, width, height = (sides[0] * meters, 0, 0) if len(sides) == 1 else (None, *(side * meters for side in sides))
    area = Area(*middle, radius, width, height)
    expected = {name: away for name, at in stored.items() if (away := area.distances([at])[0]) is not None}
    options: dict[str, Any] = {"radius": shape} if len(sides) == 1 else {"box": shape}
    options |= {"from_member": "0"} if where is None else {"from_position": where}
    options |= {"order": order, "count": count, "first_found": first_found and count is not None}
    found = client.call("GEOSEARCH", "g", **options)
    names = [name for name, *_ in found]
    assert len(set(names)) == len(names) == min(len(expected), count or len(expected))
    for name, away, bits, position in found:
        assert away == expected[name] / meters
        assert position == stored[name] == decode(bits)
    distances = [away for _, away, *_ in found]
    if order or (count and not first_found):
        assert distances == sorted(distances, reverse=order == "DESC")
    if count and not first_found:
        nearest = sorted((away / meters for away in expected.values()), reverse=order == "DESC")
        assert distances == nearest[:count]
    kept = client.call("GEOSEARCHSTORE", "kept", "g", **options, store_distance=True)
    assert kept == len(names)
    assert {name: score for score, name in client.call("ZRANGE", "kept", 0, -1)} == dict(
        zip(names, distances, strict=True)
    )
    client.call("GEOSEARCHSTORE", "kept", "g", **options)
    assert {name: score for score, name in client.call("ZRANGE", "kept", 0, -1)} == {n: b for n, _, b, _ in found}


@settings(max_examples=examples(20), deadline=None)
@given(
    seed=st.integers(0, 5),
    where=points,
    radius=st.floats(1_000, 21_000),
    order=st.sampled_from([None, "ASC", "DESC"]),
    count=st.none() | st.integers(1, 4_000),
)
@example(seed=0, where=(0, 0), radius=30_000, order="ASC", count=None)
@example(seed=0, where=(180, 85.05), radius=15_000, order="DESC", count=2_000)
def test_a_search_among_many_finds_what_looking_at_each_of_them_does(
    seed: int, where: tuple[float, float], radius: float, order: str | None, count: int | None
) -> None:
    client = Rig().connect()
    dice = Random(seed)
    places = [(dice.uniform(-180, 180), dice.uniform(-85, 85)) for _ in range(2_500)]
    places += [(180.0, LATITUDES[1]), (-180.0, LATITUDES[0])] + [(dice.gauss(13, 1), dice.gauss(38, 1))] * 300
    places += [(dice.gauss(13, 1), dice.gauss(38, 1)) for _ in range(1_000)]
    client.call("GEOADD", "g", *((*place, b"%d" % number) for number, place in enumerate(places)))
    pairs = client.call("ZRANGE", "g", 0, -1)
    area = Area(*where, radius * 1_000)
    there = [decode(int(score)) for score, _ in pairs]
    aways = area.distances(there)
    expected = {name: away for (_, name), away in zip(pairs, aways, strict=True) if away is not None}
    found = client.call("GEOSEARCH", "g", from_position=where, radius=(radius, "KM"), order=order, count=count)
    names = [name for name, *_ in found]
    assert len(set(names)) == len(names) == min(len(expected), count or len(expected))
    assert [away for _, away, *_ in found] == [expected[name] / 1_000 for name in names]
    if order or count:
        nearest = sorted(expected.values(), reverse=order == "DESC")[:count]
        assert [expected[name] for name in names] == nearest
    if not count:
        assert client.call("GEOSEARCHSTORE", "kept", "g", from_position=where, radius=(radius, "KM")) == len(names)


def test_places_are_members_of_a_sorted_set() -> None:
    client = Rig(strict=True).connect()
    palermo, catania = (13.361389, 38.115556), (15.087269, 37.502669)
    assert client.call("GEOADD", "g", (*palermo, "p"), (*catania, "c")) == 2
    assert client.call("ZSCORE", "g", "p") == encode(*palermo)
    assert (
        client.call("GEODIST", "g", "p", "c", "KM")
        == distance(*decode(encode(*palermo)), *decode(encode(*catania))) / 1000
    )
    assert client.call("GEODIST", "g", "p", "none") is None
    assert client.call("GEOPOS", "g", "c", "none") == [decode(encode(*catania)), None]
    assert client.call("GEOHASH", "g", "p", "none") == ["sqc8b49rny0", None]
    assert client.call("GEOADD", "g", (*catania, "p"), (0, 0, "n"), if_absent=True) == 1
    assert client.call("GEOADD", "g", (*catania, "p"), (0, 0, "m"), if_present=True, changed=True) == 1
    assert client.call("GEODIST", "g", "p", "c") == 0
    assert client.call("ZREM", "g", "p") == 1
    assert client.call("GEOPOS", "g", "p") == [None]


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), 1e300, -1e300, 2.0**63, 2.0**60, -5.0, 4.5, 2.0**52])
def test_any_score_stands_for_a_place(score: float) -> None:
    client = Rig(strict=True).connect()
    client.call("ZADD", "g", (score, "m"))
    (place,) = client.call("GEOPOS", "g", "m")
    assert client.call("GEODIST", "g", "m", "m") == 0
    assert len(client.call("GEOHASH", "g", "m")[0]) == 11
    assert len(place) == 2
    client.call("GEOSEARCH", "g", from_member="m", radius=(30_000, "KM"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"from_member": "p"},
        {"radius": (1, "M")},
        {"from_member": "p", "radius": (-1, "M")},
        {"from_member": "p", "radius": (float("inf"), "M")},
        {"from_member": "p", "box": (1, float("nan"), "M")},
        {"from_position": (181, 0), "radius": (1, "M")},
        {"from_position": (0, float("nan")), "radius": (1, "M")},
        {"from_member": "p", "radius": (1, "M"), "first_found": True},
        {"from_member": "p", "from_position": (0, 0), "radius": (1, "M")},
    ],
)
def test_a_search_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    client = Rig().connect()
    client.call("GEOADD", "g", (0, 0, "p"))
    with pytest.raises(InvalidArgument):
        client.call("GEOSEARCH", "g", **options)
    with pytest.raises(InvalidArgument):
        client.call("GEOSEARCHSTORE", "h", "g", **options)


def test_a_search_around_nobody_fails_and_in_nothing_finds_nothing() -> None:
    client = Rig().connect()
    client.call("GEOADD", "g", (0, 0, "p"))
    with pytest.raises(NotFound):
        client.call("GEOSEARCH", "g", from_member="none", radius=(1, "M"))
    assert client.call("GEOSEARCH", "none", from_member="none", radius=(1, "M")) == []
    for place in ((180.1, 0), (0, 85.06), (float("nan"), 0)):
        with pytest.raises(InvalidArgument, match="invalid longitude,latitude pair"):
            client.call("GEOADD", "g", (*place, "q"))


def test_every_command_about_members_has_a_rule() -> None:
    apart = {"BZPOPMIN", "BZPOPMAX", "BZMPOP"}
    assert {command.name for command in CATALOG if command.group in ("set", "zset")} == set(SETS) | set(ZSETS) | apart
