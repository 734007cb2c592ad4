"""Frames: what was packed is read back, whatever else lies in a file is damage, and what of it may be a torn end."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.durability.frames import (
    BLOCK,
    END,
    GROUP,
    HEAD,
    HEAD_BYTES,
    MAGIC,
    MOST,
    Damage,
    Stamp,
    pack,
    read_frames,
)
from tests.durability.disk import FaultyDisk
from tests.engine.profile import examples

kinds = st.sampled_from([HEAD, GROUP, BLOCK, END])
numbers = st.integers(0, 2**64 - 1)
stamps = st.builds(Stamp, numbers, numbers, numbers, numbers)


def disk_of(content: bytes) -> FaultyDisk:
    disk = FaultyDisk()
    disk.put("file", content)
    return disk


def read(content: bytes, after: int = 0) -> tuple[list[tuple[int, Stamp, bytes]], Damage | None]:
    """The frames of a file, and what ended them."""
    found = []
    try:
        for frame in read_frames(disk_of(content), "file", after):
            found.append((frame.kind, frame.stamp, frame.payload))
    except Damage as damage:
        return found, damage
    return found, None


def written(*frames: tuple[int, Stamp, bytes]) -> tuple[bytes, list[int]]:
    """A file of *frames*, and where each begins."""
    content, places = b"", []
    for kind, stamp, payload in frames:
        places.append(len(content))
        content += pack(kind, stamp, payload, len(content))
    return content, places


def stamp(revision: int, synced: int = 0) -> Stamp:
    return Stamp(revision, synced, 1, 2)


@given(frames=st.lists(st.tuples(kinds, stamps, st.binary(max_size=300)), max_size=8), zeros=st.integers(0, 100))
@settings(max_examples=examples(100))
def test_what_was_packed_is_read_back_and_zeros_behind_it_do_no_harm(
    frames: list[tuple[int, Stamp, bytes]], zeros: int
) -> None:
    content, _ = written(*frames)
    assert read(content + bytes(zeros)) == (frames, None)


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST, MOST + 1, 2 * MOST, 3 * MOST - 7, 3 * MOST])
def test_what_is_longer_than_a_frame_comes_back_as_one(size: int) -> None:
    before, payload = (GROUP, stamp(1), b"before"), Random(size).randbytes(size)
    content, _ = written(before, (GROUP, stamp(2), payload), (GROUP, stamp(3), b"after"))
    assert read(content) == ([before, (GROUP, stamp(2), payload), (GROUP, stamp(3), b"after")], None)


@given(content=st.binary(max_size=400) | st.binary(max_size=200).map(lambda rest: MAGIC + rest))
@settings(max_examples=examples(300))
def test_arbitrary_bytes_are_damage_and_nothing_else(content: bytes) -> None:
    found, damage = read(content)
    assert not found
    assert damage is not None or not any(content)


@given(data=st.data())
@settings(max_examples=examples(300))
def test_a_file_that_was_spoilt_gives_its_frames_up_to_there(data: st.DataObject) -> None:
    frames = data.draw(st.lists(st.tuples(kinds, stamps, st.binary(max_size=60)), min_size=1, max_size=6))
    content, places = written(*frames)
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        spoilt = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
    else:
        spoilt = content[:at] + data.draw(st.binary(max_size=80))
    if spoilt == content:
        return
    whole = sum(place <= at for place in places) - 1
    found, damage = read(spoilt)
    assert found[:whole] == frames[:whole]
    if len(found) > whole:  # what was put there is what was there
        assert found == frames[: len(found)]
    if damage is not None:
        assert damage.name == "file"
        assert damage.at <= len(spoilt)


def test_a_frame_counts_only_where_it_was_written() -> None:
    frame = pack(GROUP, stamp(1), b"rows", 0)
    assert read(frame)[1] is None
    found, damage = read(frame + frame)
    assert len(found) == 1
    assert damage is not None
    assert damage.at == len(frame)


def test_half_of_a_long_one_is_none() -> None:
    long = (GROUP, stamp(2), b"x" * (2 * MOST + 5))
    content, places = written((GROUP, stamp(1), b"x"), long)
    for cut in (places[1] + 10, places[1] + HEAD_BYTES + MOST, places[1] + 2 * (HEAD_BYTES + MOST), len(content) - 1):
        found, damage = read(content[:cut])
        assert len(found) == 1
        assert damage is not None
        assert (damage.at, damage.torn) == (places[1], True)
        assert read(content[:cut] + bytes(9))[0] == found


# ---- torn, or damaged
def spoil(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def verdict(content: bytes, after: int = 0) -> bool:
    _, damage = read(content, after)
    assert damage is not None
    return damage.torn


def test_damage_is_torn_unless_a_later_frame_says_that_its_place_was_synced() -> None:
    frames = [(HEAD, stamp(5), b"head"), (GROUP, stamp(6, 5), b"one"), (GROUP, stamp(7, 5), b"two")]
    content, places = written(*frames)
    assert verdict(spoil(content, places[1] + 20), 5)
    assert verdict(spoil(content, places[2] + 20), 5)
    content, places = written(*frames, (GROUP, stamp(8, 6), b"three"))
    assert not verdict(spoil(content, places[1] + 20), 5)
    assert verdict(spoil(content, places[2] + 20), 5), "only what came before the second was synced"


def test_an_end_that_nobody_synced_proves_nothing() -> None:
    content, places = written((HEAD, stamp(5), b"head"), (GROUP, stamp(6, 5), b"one"), (END, stamp(6, 5), b""))
    assert verdict(spoil(content, places[1] + 20), 5)
    content, places = written((HEAD, stamp(5), b"head"), (GROUP, stamp(6, 5), b"one"), (END, stamp(6, 6), b""))
    assert not verdict(spoil(content, places[1] + 20), 5)


def test_a_head_was_synced_if_anything_behind_it_was() -> None:
    content, _ = written((HEAD, stamp(5, 4), b"head"), (GROUP, stamp(6, 4), b"one"))
    assert verdict(spoil(content, 20), 5)
    content, _ = written((HEAD, stamp(5, 4), b"head"), (GROUP, stamp(6, 5), b"one"))
    assert not verdict(spoil(content, 20), 5)


def test_a_hole_of_zeros_with_something_behind_it_is_damage() -> None:
    content, places = written((GROUP, stamp(1), b"one"), (GROUP, stamp(2, 1), b"two"), (GROUP, stamp(3, 2), b"three"))
    holed = content[: places[1]] + bytes(places[2] - places[1]) + content[places[2] :]
    found, damage = read(holed)
    assert len(found) == 1
    assert damage is not None
    assert (damage.at, damage.torn) == (places[1], False)


def test_values_that_look_like_frames_cost_no_more_time_than_others() -> None:
    content, places = written((GROUP, stamp(1), b"one"), (GROUP, stamp(2), MAGIC * (MOST // 4)))
    looks = pack(GROUP, stamp(9, 0), bytes(100), 7)[:HEAD_BYTES]
    more, _ = written((GROUP, stamp(1), b"one"), (GROUP, stamp(2), looks * (3 * MOST // HEAD_BYTES)))
    for spoilt in (spoil(content, places[1] + 9), spoil(more, places[1] + 9)):
        began = time.perf_counter()
        assert verdict(spoilt)
        assert time.perf_counter() - began < 5
