"""The native codec and the plain one: alike to the last byte, on values, on nonsense, on streams cut anywhere."""

from __future__ import annotations

import importlib
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgpack import packb

import kv_protocol
from kv_protocol import blobs, canonical, codec, frames, names, plain_text
from kv_protocol.limits import MAX_NESTING

TWINS = ("blobs", "canonical", "codec", "frames", "names", "plain_text")

pytestmark = pytest.mark.skipif(str(canonical.__file__).endswith(".py"), reason="only the plain codec is here")


def plain_modules() -> SimpleNamespace:
    """The package once more, from its plain sources alone."""
    folder = Path(kv_protocol.__file__).parent
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "kv_protocol"}
    sources = FileFinder(str(folder.parent), (SourceFileLoader, SOURCE_SUFFIXES))

    class Plainly:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
            if name == "kv_protocol":
                return sources.find_spec(name)
            if name.startswith("kv_protocol."):
                return FileFinder(str(folder), (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            return None

    sys.meta_path.insert(0, Plainly)  # type: ignore[arg-type]
    try:
        return SimpleNamespace(**{name: importlib.import_module(f"kv_protocol.{name}") for name in TWINS})
    finally:
        sys.meta_path.remove(Plainly)  # type: ignore[arg-type]
        for name in [name for name in sys.modules if name.partition(".")[0] == "kv_protocol"]:
            del sys.modules[name]
        sys.modules.update(ours)


plain = plain_modules()

ints = st.integers(-(2**70), 2**70) | st.sampled_from(
    [edge + step for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64) for edge in (2**bits, -(2**bits)) for step in (-1, 0, 1)]
)
texts = st.text(st.characters(exclude_categories=())) | st.text(min_size=250, max_size=300)
floats = st.floats() | st.sampled_from([float("nan"), -float("nan"), float("inf"), -0.0])
scalars = (
    st.none() | st.booleans() | ints | floats | texts | st.binary() | st.binary(min_size=250, max_size=260)
    | st.decimals() | st.datetimes(timezones=st.just(UTC))
)  # fmt: skip
odd = st.tuples(st.integers()) | st.just(object) | st.datetimes() | st.just(bytearray(b"a")) | st.sets(st.integers())
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=9), inner, max_size=20)
)
wild = st.recursive(
    scalars | odd,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
)


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What comes of it, so that it can be compared with what comes of its twin."""
    try:
        return shown(function(*args))
    except Exception as error:
        return type(error).__name__, str(error)


def shown(result: Any) -> Any:
    return repr(result), type(result)


@given(values | wild)
@example([[]] * 17)
@example({str(number): number for number in range(40)})
@example([Decimal("1.50"), 2**64, -(2**63) - 1, datetime(1, 1, 1, tzinfo=UTC)])
def test_values_are_encoded_alike(value: Any) -> None:
    assert outcome(canonical.encode, value) == outcome(plain.canonical.encode, value)


@given(values)
def test_what_was_encoded_is_checked_read_and_shown_alike(value: Any) -> None:
    try:
        blob = canonical.encode(value)
    except kv_protocol.errors.InvalidArgument:
        return
    for ask in ("check", "decode"):
        assert outcome(getattr(canonical, ask), blob) == outcome(getattr(plain.canonical, ask), blob)
    for ask in ("octets", "number"):
        assert outcome(getattr(plain_text, ask), blob) == outcome(getattr(plain.plain_text, ask), blob)
    assert blobs.class_of(blob) == plain.blobs.class_of(blob)


@pytest.mark.parametrize("levels", [1, MAX_NESTING - 1, MAX_NESTING, MAX_NESTING + 1, 600])
@pytest.mark.parametrize("head", [b"\x91", b"\x81\xa1a", b"\xdc\x00\x01"])
def test_nested_values_are_judged_alike(levels: int, head: bytes) -> None:
    blob = head * levels + b"\xc0"
    for ask in ("check", "decode"):
        assert outcome(getattr(canonical, ask), blob) == outcome(getattr(plain.canonical, ask), blob)


@given(st.data())
def test_nonsense_is_judged_alike(data: st.DataObject) -> None:
    blob = bytearray(
        packb(data.draw(st.lists(st.integers().filter(lambda n: abs(n) < 2**63) | st.text() | st.binary())))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    judged_alike(bytes(blob[: data.draw(st.integers(0, len(blob)))]))


@given(st.binary())
@example(b"\xca\0\0\0\0")
@example(b"\xc1")
@example(b"\x82\xa1a\x01\xa1a\x02")
@example(b"\xd6\xff\0\0\0\1")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x81\xc4\x01a\x01")
@example(b"\xa3\xed\xa0\x80")
def test_bytes_are_judged_alike(blob: bytes) -> None:
    judged_alike(blob)


def judged_alike(blob: bytes) -> None:
    assert outcome(canonical.check, blob) == outcome(plain.canonical.check, blob)
    assert outcome(canonical.decode, blob) == outcome(plain.canonical.decode, blob)
    assert outcome(canonical.check_all, [b"\xc0", blob]) == outcome(plain.canonical.check_all, [b"\xc0", blob])


@given(st.binary() | st.text().map(str.encode))
@example(b"\xf4\x8f\xbf\xbf")
@example(b"\xf4\x90\x80\x80")
@example(b"\xc0\x80")
@example(b"a" * 64 + b"\xff")
def test_octets_become_the_same_values(octets: bytes) -> None:
    assert plain_text.from_octets(octets) == plain.plain_text.from_octets(octets)
    assert blobs.is_utf8(octets) == plain.blobs.is_utf8(octets)
    for ask in ("str_blob", "bytes_blob"):
        assert getattr(blobs, ask)(octets) == getattr(plain.blobs, ask)(octets)


@given(
    st.from_regex(rb"-?[0-9]{1,20}", fullmatch=True) | ints.map(lambda number: b"%d" % number) | st.binary(max_size=22)
)
@example(b"9223372036854775807")
@example(b"9223372036854775808")
@example(b"-9223372036854775808")
@example(b"-9223372036854775809")
@example(b"-0")
@example(b"-")
def test_spelled_ints_are_read_alike(spelled: bytes) -> None:
    for blob in (blobs.str_blob(spelled), blobs.bytes_blob(spelled)):
        assert outcome(plain_text.number, blob) == outcome(plain.plain_text.number, blob)


@given(st.text(st.characters(exclude_categories=())) | st.integers() | st.binary())
def test_names_travel_alike(name: Any) -> None:
    assert outcome(names.wire, name) == outcome(plain.names.wire, name)
    if type(name) is bytes:
        assert names.text(name) == plain.names.text(name)


@given(st.lists(st.sampled_from([b"{", b"}", b"a", b"\xff"]) | st.binary(max_size=3)).map(b"".join))
def test_slots_are_counted_alike(name: bytes) -> None:
    assert names.slot(name) == plain.names.slot(name)


arguments = st.recursive(
    st.none() | st.booleans() | ints | st.floats() | texts | st.binary() | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
)


requests = st.tuples(
    st.integers(1, 2**33), st.text(), st.tuples(arguments, arguments) | st.tuples(arguments),
    st.none() | st.dictionaries(st.text(), arguments, max_size=3), st.none() | ints, st.integers(0, 2**33),
    st.none() | st.integers(0, 2**33), st.none() | st.text() | st.binary(),
    st.none() | st.tuples(st.text(), st.integers(0, 2**64)), st.none() | st.text(),
)  # fmt: skip


@given(requests)
def test_requests_are_packed_alike(parts: tuple[Any, ...]) -> None:
    assert outcome(codec.RequestPacker().pack, *parts) == outcome(plain.codec.RequestPacker().pack, *parts)


def test_a_long_request_is_packed_alike() -> None:
    parts = (9, "SET", ("k", b"a" * 100_000, "é" * 70_000, list(range(70_000))), None, None, 0, 1, None, None, None)
    assert codec.RequestPacker().pack(*parts) == plain.codec.RequestPacker().pack(*parts)


messages = st.lists(
    st.tuples(st.integers(0, 2**33), st.integers(0, 2), arguments.filter(lambda item: "object" not in repr(item))).map(
        list
    )
    | st.lists(st.integers(-1, 1), max_size=4)
    | st.just([1.0, 0, None]),
    max_size=8,
)


@given(messages, st.data())
def test_replies_are_read_alike_however_they_arrive(replies: list[Any], data: st.DataObject) -> None:
    bodies = []
    for reply in replies:
        try:
            bodies.append(packb(reply))
        except (OverflowError, UnicodeEncodeError):
            return
    stream = bytearray(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))
    if stream and data.draw(st.booleans()):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    ours, theirs = codec.ReplyReader(), plain.codec.ReplyReader()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        piece = bytes(stream[start:end])
        assert repr(ours.replies(piece)) == repr(theirs.replies(piece))
        assert repr(ours.failure) == repr(theirs.failure)
        if ours.failure is None:
            assert ours.held == theirs.held


@given(st.lists(st.binary(max_size=40)), st.data())
def test_frames_are_cut_alike(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies) + data.draw(st.binary(max_size=6))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    limit, most = data.draw(st.integers(1, 50)), data.draw(st.integers(0, 5) | st.just(sys.maxsize))
    ours, theirs = frames.FrameReader(limit), plain.frames.FrameReader(limit)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        assert ours.feed(stream[start:end], most) == theirs.feed(stream[start:end], most)
        assert repr(ours.failure) == repr(theirs.failure)
        assert ours.held == theirs.held
    assert ours.max_frame == theirs.max_frame


def test_nothing_is_kept_of_what_was_refused() -> None:
    long = [b"a" * 2_000, {"k": [1.5, "é" * 900]}, 2**70]
    blob = canonical.encode(long)
    packer = codec.RequestPacker()

    def work() -> None:
        for step in range(0, len(blob), 97):
            outcome(canonical.decode, blob[:step])
            outcome(canonical.check, blob[:step])
            outcome(codec.ReplyReader().replies, (step + 4).to_bytes(4, "big") + b"\x93\x01\0" + blob[:step])
        outcome(canonical.encode, [*long, object()])
        outcome(packer.pack, 1, "SET", ("k", b"a" * 3_000, object()), None, None, 0, None, None, None, None)
        outcome(packer.pack, 1, "SET", ("k", b"a" * 3_000, "\udc80"), None, None, 0, None, None, None, None)

    work()
    tracemalloc.start()
    try:
        work()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            work()
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()
