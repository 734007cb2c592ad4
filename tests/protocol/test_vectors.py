"""The examples of protocol.md, executed: a page that other clients are written from must not be wrong."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from kv_protocol.errors import InvalidArgument
from kv_protocol.frames import HEAD, FrameReader, pack, unpack_reply, unpack_request
from kv_protocol.values import check, class_of, decode, encode

PAGE = Path(__file__).parents[2] / "protocol.md"
WORDS = {"UTC": UTC, "datetime": datetime, "Decimal": Decimal}


def vectors(kind: str) -> list[tuple[bytes, str]]:
    """Bytes and meaning of every line in the page's blocks of *kind*."""
    blocks = re.findall(rf"^```vector {kind}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.split(maxsplit=1) for block in blocks for line in block.splitlines()]
    assert lines, f"no {kind} vectors"
    return [(bytes.fromhex(octets), meaning) for octets, meaning in lines]


def test_every_block_of_vectors_is_executed_here() -> None:
    kinds = re.findall(r"^```vector (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(kinds) == {"frame", "reply", "value", "refused"}


@pytest.mark.parametrize("octets, meaning", vectors("frame"))
def test_a_frame(octets: bytes, meaning: str) -> None:
    message = json.loads(meaning)
    assert pack(message) == octets
    (body,) = FrameReader().feed(octets)
    read = unpack_request(body)
    assert [part.decode() if isinstance(part, bytes) else part for part in read] == message


@pytest.mark.parametrize("octets, meaning", vectors("reply"))
def test_a_reply(octets: bytes, meaning: str) -> None:
    message = json.loads(meaning)
    assert unpack_reply(octets) == message
    assert unpack_reply(pack(message)[HEAD:]) == message


@pytest.mark.parametrize("octets, meaning", vectors("value"))
def test_a_value(octets: bytes, meaning: str) -> None:
    value = eval(meaning, WORDS)
    check(octets)
    assert encode(value) == octets
    assert decode(octets) == value
    assert type(decode(octets)) is type(value)
    assert class_of(octets) == NAMES[type(value)]


@pytest.mark.parametrize("octets, meaning", vectors("refused"))
def test_what_is_refused_is_named(octets: bytes, meaning: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^value: .*{re.escape(meaning)}"):
        check(octets)


NAMES = {
    type(None): "null", bool: "bool", int: "int", float: "float", str: "str", bytes: "bytes", list: "list", dict: "map",
    Decimal: "decimal", datetime: "datetime",
}  # fmt: skip
