"""Places as numbers, by values that a Redis 7.0.15 gave; and searches, by looking at every place there is."""

from __future__ import annotations

import math
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.geo import LATITUDES, LONGITUDES, Area, decode, distance, encode, hash_text, ranges
from kv_server.spec.resp_kinds import Spelled
from tests.engine.profile import examples

RECORDED: Final[list[tuple[float, float, int, str, str, str]]] = [
    (13.361389, 38.115556, 3479099956230698, "sqc8b49rny0", "13.36138933897018433", "38.11555639549629859"),
    (15.087269, 37.502669, 3479447370796909, "sqdtr74hyu0", "15.08726745843887329", "37.50266842333162032"),
    (0.0, 0.0, 3377699720527872, "s0000000000", "0.00000268220901489", "0.00000126736058093"),
    (-0.0001, -0.0001, 1125899906841058, "7zzzzzzzmt0", "-0.00009924173355103", "-0.00010012148579364"),
    (180.0, 0.0, 10133099161583616, "80000000000", "180", "0.00000126736058093"),
    (-180.0, 0.0, 1125899906842624, "80000000000", "-179.99999731779098511", "0.00000126736058093"),
    (0.0, 85.05112878, 6755399441055744, "up05b5048p0", "0.00000268220901489", "85.0511287799999991"),
    (0.0, -85.05112878, 2251799813685248, "h0bh0hbj200", "0.00000268220901489", "-85.05112751263942528"),
    (2.349014, 48.864716, 3663832805879806, "u09tvrw3xg0", "2.34901160001754761", "48.86471570750150306"),
    (-74.005974, 40.712776, 1791873974549417, "dr5regw3pg0", "-74.00597423315048218", "40.71277617446106944"),
    (151.209296, -33.86882, 3252046221958826, "r3gx2f75zf0", "151.20929449796676636", "-33.86882119711083305"),
    (139.691706, 35.689487, 4171231230197027, "xn774c06kd0", "139.69170659780502319", "35.68948605865241319"),
    (-68.303, -54.801, 650595395318134, "4qr2jxz3090", "-68.30300241708755493", "-54.8009997112982532"),
    (25.466, 65.01236, 3765368736624940, "ued1g7pu2y0", "25.46600013971328735", "65.01235963076304358"),
    (179.999, -16.5, 3355687726838882, "rvpfpur2890", "179.99899953603744507", "-16.49999931370297901"),
    (-179.999, -16.5, 353287975329480, "2j040h28x30", "-179.99899953603744507", "-16.49999931370297901"),
    (-17.143361, 10.167283, 1871347578884647, "e9gccfusdw0", "-17.14336305856704712", "10.16728238586446054"),
    (152.71581, -5.842923, 3337397779903833, "rquwg0k6820", "152.71581083536148071", "-5.8429238866953952"),
    (2.822858, 14.864159, 3397220706517452, "s4dh81zw120", "2.82285600900650024", "14.8641587149369272"),
    (-113.522276, 2.02566, 1278672013871058, "92r788z8740", "-113.52227836847305298", "2.02565916794252843"),
    (46.757779, 49.835366, 3804794131819474, "v0c5xbrbp10", "46.7577776312828064", "49.83536689770107841"),
    (-146.115556, -33.441445, 331040717006889, "2f01g01vky0", "-146.11555427312850952", "-33.44144439715585548"),
    (-147.358607, 52.670535, 1451293667532449, "b9r5wu2spe0", "-147.3586079478263855", "52.6705361602199531"),
    (69.637854, -77.926155, 2432585023134385, "jd1s8tuxpx0", "69.6378520131111145", "-77.92615560451676515"),
    (173.589631, 79.055299, 4496899280557024, "zy53wps47x0", "173.58963042497634888", "79.05529783936748345"),
    (55.412112, 19.657216, 3544510138410732, "t5rrufmzef0", "55.4121127724647522", "19.65721503840050843"),
]  # fmt: skip
"""Longitude, latitude as added; score, geohash, and longitude and latitude as they came back."""

DISTANCES: Final[list[tuple[int, int, str]]] = [
    (5, 19, "7395804.0317"),
    (0, 16, "4347574.4444"),
    (2, 1, "4449695.8942"),
    (1, 6, "5308984.3936"),
    (7, 19, "10454421.5931"),
    (0, 24, "6925010.6490"),
    (14, 10, "3462472.2362"),
    (14, 18, "19667832.6797"),
    (6, 16, "8353943.9775"),
    (7, 20, "15162539.9952"),
    (9, 15, "12532366.0316"),
    (0, 21, "18101778.7216"),
    (2, 14, "18185500.2640"),
    (20, 8, "3172011.7802"),
    (13, 17, "12266206.7329"),
    (2, 22, "13425621.0846"),
    (0, 1, "166274.1516"),
    (4, 5, "0.2983"),
    (14, 15, "213.3909"),
    (6, 7, "18919844.5891"),
    (2, 3, "15.9904"),
]  # fmt: skip
"""Two of the places, and the meters between them."""

longitudes = st.floats(*LONGITUDES) | st.sampled_from([-180.0, 180.0, 0.0, 179.9999, -179.9999, 90.0])
latitudes = st.floats(*LATITUDES) | st.sampled_from([*LATITUDES, 0.0, 85.0, -85.0, 66.5, -80.5])
points = st.tuples(longitudes, latitudes)
lengths = st.floats(0, 3e7) | st.floats(0, 1e5) | st.just(0.0)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda row: f"{row[0]},{row[1]}")
def test_a_place_has_the_number_that_redis_gives_it(recorded: tuple[float, float, int, str, str, str]) -> None:
    longitude, latitude, number, text, back_longitude, back_latitude = recorded
    assert encode(longitude, latitude) == number
    assert [Spelled(degrees).text().decode() for degrees in decode(number)] == [back_longitude, back_latitude]
    assert hash_text(number) == text


@pytest.mark.parametrize(("one", "other", "meters"), DISTANCES)
def test_places_are_as_far_apart_as_redis_says(one: int, other: int, meters: str) -> None:
    here, there = decode(RECORDED[one][2]), decode(RECORDED[other][2])
    assert f"{distance(*here, *there):.4f}" == meters
    assert f"{distance(*there, *here):.4f}" == meters


@given(points)
def test_a_place_comes_back_to_within_a_meter(point: tuple[float, float]) -> None:
    assert distance(*point, *decode(encode(*point))) < 1
    assert len(hash_text(encode(*point))) == 11


@settings(max_examples=examples(500))
@given(
    centre=points,
    radius=st.none() | lengths,
    width=lengths,
    height=lengths,
    places=st.lists(points, max_size=30),
    near=st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=10),
)
def test_the_ranges_of_an_area_hold_every_place_in_it(
    centre: tuple[float, float],
    radius: float | None,
    width: float,
    height: float,
    places: list[tuple[float, float]],
    near: list[tuple[float, float]],
) -> None:
    longitude, latitude = decode(encode(*centre))
    area = Area(longitude, latitude, radius, width, height)
    west, south, east, north = area.bounds()
    for x, y in near:
        there = (
            longitude + x * (east - west) / 2,
            min(max(latitude + y * (north - south) / 2, LATITUDES[0]), LATITUDES[1]),
        )
        places.append(((there[0] + 180) % 360 - 180, there[1]))
    covered = list(ranges(area))
    assert len(covered) <= 16
    assert len(set(covered)) == len(covered)
    assert all(one[1] <= two[0] for one, two in zip(sorted(covered), sorted(covered)[1:], strict=False))
    for number in {encode(*place) for place in places} | {encode(*centre)}:
        if area.distances([decode(number)])[0] is not None:
            assert any(first <= number < end for first, end in covered), decode(number)


def test_a_box_is_measured_along_its_own_parallel() -> None:
    area = Area(0.0, 60.0, None, 200_000, 100_000)
    assert area.distances([(1.7, 60.0)])[0] is not None
    assert area.distances([(1.9, 60.0)])[0] is None
    assert area.distances([(0.0, 60.44)])[0] is not None
    assert area.distances([(0.0, 60.46)])[0] is None
    assert math.isclose(area.reach, math.hypot(100_000, 50_000))
