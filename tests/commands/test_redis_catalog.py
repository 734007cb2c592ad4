"""What COMMAND tells clients of Redis: shapes that redis-cli and cluster clients read without asking twice."""

from __future__ import annotations

from typing import Any

import pytest

from kv_server.commands import CATALOG
from kv_server.commands.redis_catalog import details, documentation, names_of

TYPES = {
    "string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block",
}  # fmt: skip
GROUPS = {
    "bitmap", "cluster", "connection", "generic", "geo", "hash", "hyperloglog", "list", "pubsub", "server", "set",
    "sorted-set", "stream", "string", "transactions",
}  # fmt: skip


def arguments_in(text: dict[str, Any]) -> list[dict[str, Any]]:
    """All arguments, those inside of others too."""
    return [each for one in text.get("arguments", []) for each in (one, *arguments_in(one))]


@pytest.mark.parametrize("name", names_of(CATALOG), ids=bytes.decode)
def test_documentation_has_the_shape_that_redis_cli_reads(name: bytes) -> None:
    text = documentation(CATALOG, name)
    assert text is not None
    for each in (text, *text.get("subcommands", {}).values()):
        assert each["summary"] and each["since"] and each["group"]
        assert each.get("arguments") != []
        for one in arguments_in(each):
            assert one["name"] and one["type"] in TYPES
            assert ("arguments" in one) is (one["type"] in ("oneof", "block"))
            assert "token" in one or one["type"] != "pure-token"


def test_groups_are_those_of_redis_where_it_has_the_command() -> None:
    own = {"lock", "rate"}
    assert {documentation(CATALOG, name)["group"] for name in names_of(CATALOG)} <= GROUPS | own  # type: ignore[index]


def test_an_option_of_several_words_is_one_of_them() -> None:
    text = documentation(CATALOG, b"SET")
    assert text is not None
    by_name = {one["name"]: one for one in text["arguments"]}
    assert [one["token"] for one in by_name["ttl"]["arguments"]] == ["EX", "PX"]
    assert by_name["get"]["type"] == "pure-token"


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("GET", (1, 1, 1)),
        ("MSET", (1, -1, 2)),
        ("DEL", (1, -1, 1)),
        ("BLPOP", (1, -2, 1)),
        ("RENAME", (1, 2, 1)),
        ("BITOP", (2, -1, 1)),
        ("XADD", (1, 1, 1)),
        ("XGROUP CREATE", (2, 2, 1)),
        ("OBJECT ENCODING", (2, 2, 1)),
        ("ZUNION", (0, 0, 0)),
        ("PING", (0, 0, 0)),
    ],
)
def test_keys_are_where_cluster_clients_look_for_them(name: str, places: tuple[int, int, int]) -> None:
    told = details(CATALOG, name.encode())
    assert told is not None
    assert tuple(told[3:6]) == places
    first, last, step = places
    if first:
        [spec] = told[8]
        assert spec["begin_search"] == {"type": "index", "spec": {"index": first}}
        assert spec["find_keys"]["spec"] == {"lastkey": last - first if last > 0 else last, "keystep": step, "limit": 0}
    else:
        assert list(told[8]) == []


@pytest.mark.parametrize(
    ("name", "flags", "categories"),
    [
        ("GET", "readonly fast", "@read @fast @string"),
        ("INCR", "write denyoom fast", "@write @fast @string"),
        ("CONFIG GET", "admin", "@admin @slow @dangerous"),
        ("PUBLISH", "fast pubsub", "@fast @pubsub"),
        ("DBSIZE", "readonly fast", "@read @fast @keyspace"),
        ("FLUSHALL", "write", "@write @keyspace @namespace @slow @dangerous"),
        ("MULTI", "fast", "@fast @transaction"),
        ("TIME", "fast", "@fast"),
    ],
)
def test_flags_and_categories_are_those_of_redis(name: str, flags: str, categories: str) -> None:
    told = details(CATALOG, name.encode())
    assert told is not None
    assert {word.decode() for word in told[2]} == set(flags.split())
    assert {word.decode() for word in told[6]} == set(categories.split())
