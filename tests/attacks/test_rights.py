"""A user may not run some commands, or not on some names: then it cannot, by any way there is."""

from __future__ import annotations

import pytest

from kv_server.commands import CATALOG
from kv_server.spec.categories import CATEGORIES
from kv_server.spec.command import Command, Door, Flag, Named
from tests.attacks.conftest import Town
from tests.attacks.lines import Call, keyed_lines, lines, native_calls, needs

NOPERM = b"NOPERM "
ENDS = ("QUIT", "RESET", "MONITOR", "AUTH", "HELLO", "CLIENT REPLY")  # they end or change what a test listens with


def names_of(names: list[Named]) -> set[bytes]:
    return {named.name for named in names}


@pytest.mark.parametrize("category", CATEGORIES)
def test_who_lacks_a_category_runs_none_of_its_commands(town: Town, category: str) -> None:
    town.make(b"+@all", b"-@" + category.encode(), b"allkeys", b"allchannels")
    line, caller = town.line(b"ada"), town.caller()
    for word, command in CATALOG.words.items():
        if category in command.acl and not command.flags & Flag.GREETS:
            reply = line.call(*word.split(), *[b"k"] * (abs(command.arity) - 1 - word.count(b" ")))
            assert reply.value.startswith(NOPERM), (word, reply)
    for command in CATALOG:
        if category in command.acl and Door.NATIVE in command.declaration.doors:
            assert caller.call(command.name) == "FORBIDDEN", command


def test_nothing_is_run_by_a_detour(town: Town) -> None:
    town.make(b"+multi", b"+exec", b"+discard", b"+fenced", b"+atomic", b"allkeys", b"allchannels")
    line, caller = town.line(b"ada"), town.caller()
    town.operator.call(b"LOCK", b"l", b"TTL", b"10000")
    for command, words in lines():
        if command.name in (*ENDS, "MULTI", "EXEC", "DISCARD", "FENCED"):
            continue
        reply = line.call(b"FENCED", b"l", b"1", *words)
        assert reply.kind == "error" and reply.value.startswith((NOPERM, b"ERR", b"STALE")), (words, reply)
        assert line.call(b"MULTI").value == b"OK"
        assert line.call(*words).value.startswith(NOPERM), words
        assert line.call(b"EXEC").value.startswith(b"EXECABORT"), words
    for call in native_calls():
        if call.command.name != "ATOMIC":
            inner = [call.command.name.encode(), call.args, call.options]
            assert caller.call("ATOMIC", [inner]) in ("FORBIDDEN", "INVALID"), call


def test_a_queued_call_is_run_with_the_rights_of_its_moment(town: Town) -> None:
    town.make(b"+@all", b"allkeys")
    line = town.line(b"ada")
    assert line.call(b"MULTI").value == b"OK"
    assert line.call(b"SET", b"k", b"v").value == b"QUEUED"
    town.rules(b"+@all", b"~other")
    [reply] = line.call(b"EXEC").value
    assert reply.value.startswith(NOPERM)
    assert town.operator.call(b"EXISTS", b"k").value == 0


@pytest.mark.parametrize(
    ("command", "words", "names"),
    keyed_lines(),
    ids=lambda it: b" ".join(it).decode() if isinstance(it, list) and it and isinstance(it[0], bytes) else "",
)
def test_every_key_of_a_line_is_asked_for(town: Town, command: Command, words: list[bytes], names: list[Named]) -> None:
    town.make(b"+@all")
    line = town.line(b"ada")
    for name in names_of(names):
        used = [named for named in names if named.name == name]
        others = [b"~" + other for other in names_of(names) - {name}]
        for access, mark in ((Flag(0), b""), (Flag.READ, b"%R~"), (Flag.WRITE, b"%W~")):
            if any(needs(named, access) for named in used):
                town.rules(b"+@all", *others, *([mark + name] if mark else []))
                for before in ((), (b"MULTI",), (b"FENCED", b"l", b"1")):
                    if before == (b"MULTI",):
                        assert line.call(b"MULTI").value == b"OK"
                    lead = () if before == (b"MULTI",) else before
                    reply = line.call(*lead, *words)
                    allowed = (NOPERM, b"ERR", b"STALE") if before else (NOPERM,)
                    assert reply.value.startswith(allowed), (words, name, mark, reply)
                    if before == (b"MULTI",):
                        line.call(b"DISCARD")


@pytest.mark.parametrize(
    "call", [call for call in native_calls() if call.names], ids=lambda call: f"{call.command.name} {len(call.options)}"
)
def test_every_name_of_a_native_call_is_asked_for(town: Town, call: Call) -> None:
    keys = [named for named in call.names if named.kind in ("key", "lock", "prefix")]
    channels = [named for named in call.names if named.kind in ("channel", "pattern")]
    town.make(b"+@all")
    caller = town.caller()
    for named in keys:
        others = [b"~" + other for other in names_of(keys) - {named.name}]
        for access, mark in ((Flag(0), b""), (Flag.READ, b"%R~"), (Flag.WRITE, b"%W~")):
            if needs(named, access) or named.kind == "prefix":
                town.rules(b"+@all", b"allchannels", *others, *([mark + named.name] if mark else []))
                assert caller.call(call.command.name, call.args, call.options) == "FORBIDDEN", (named, mark)
    for named in channels:
        town.rules(b"+@all", b"allkeys", *[b"&" + other for other in names_of(channels) - {named.name}])
        assert caller.call(call.command.name, call.args, call.options) == "FORBIDDEN", named


def test_patterns_reach_no_key_that_may_not_be_read(town: Town) -> None:
    town.operator.call(b"RPUSH", b"ok", b"1")
    town.operator.call(b"SET", b"secret_1", b"hidden")
    town.make(b"+@all", b"~ok", b"~target")
    line, caller = town.line(b"ada"), town.caller()
    for words in (
        b"SORT ok GET secret_*",
        b"SORT ok BY secret_*",
        b"SORT_RO ok GET secret_*",
        b"SORT ok BY secret_* STORE target",
    ):
        assert line.call(*words.split()).value.startswith(NOPERM), words
    assert caller.call("SORT_RO", [b"ok"], {"get": [b"secret_*"]}) == "FORBIDDEN"
    assert caller.call("SORTSTORE", [b"target", b"ok"], {"by": b"secret_*"}) == "FORBIDDEN"
    town.rules(b"+@all", b"~ok", b"%R~*")
    assert line.call(*b"SORT ok GET secret_*".split()).value[0].value == b"hidden"


def test_who_may_only_write_is_not_told_what_was_there(town: Town) -> None:
    town.operator.call(b"SET", b"k", b"hidden")
    town.make(b"+@all", b"%W~k")
    line, caller = town.line(b"ada"), town.caller()
    assert line.call(b"SET", b"k", b"x", b"GET").value.startswith(NOPERM)
    assert line.call(b"SET", b"k", b"x", b"IFEQ", b"y").value.startswith(NOPERM)
    assert caller.call("SET", [b"k", b"\x01"], {"if_version": 7}) == "FORBIDDEN"
    caller.send(900, "SET", [b"k", b"\x01"], {"if_absent": True})
    _, _, body = caller.read()
    assert body[0] == "CONDITION" and b"hidden" not in repr(body).encode()
    assert line.call(b"SET", b"k", b"x").value == b"OK"


def test_a_fence_tells_nothing_of_a_lock_that_may_not_be_used(town: Town) -> None:
    token = town.operator.call(b"LOCK", b"hidden", b"TTL", b"10000").value
    town.make(b"+@all", b"~ok")
    caller = town.caller()
    for fence in ([b"hidden", 1], [b"hidden", token]):
        assert caller.call("SET", [b"ok", b"\x01"], None, {5: fence}) == "FORBIDDEN"
    assert town.line(b"ada").call(b"FENCED", b"hidden", b"1", b"SET", b"ok", b"1").value.startswith(NOPERM)


def test_watches_and_waits_end_with_the_right_to_them(town: Town) -> None:
    town.make(b"+@all", b"allkeys", b"allchannels")
    caller, line, other = town.caller(), town.line(b"ada"), town.line(b"ada")
    caller.send(50, "WATCH", [], {"prefix": b"a:", "credit": 10}, None)
    assert caller.read()[:2] == [50, 1]
    caller.send(51, "SUBSCRIBE", [b"news"], {"credit": 10}, None)
    assert caller.read()[:2] == [51, 1]
    caller.send(52, "BLPOP", [b"queue"], {"wait": 60_000}, None)
    line.call(b"SUBSCRIBE", b"news")
    other.send((b"BLPOP", b"queue", b"0"))
    town.rules(b"+@all", b"~b:*", b"&other")
    ended = {caller.read()[0] for _ in range(3)}
    assert ended == {50, 51, 52}
    assert other.read().value.startswith(NOPERM)
    assert line.arrived(10)[-1].kind == "closed"


def test_a_prefix_is_watched_only_where_a_pattern_covers_it(town: Town) -> None:
    town.make(b"+@all", b"~a:*", b"%W~w:*", b"~[c]:x")
    caller = town.caller()
    for prefix in (b"", b"a", b"b:", b"w:", b"c:", b"c:x", b"a?"):
        assert caller.call("WATCH", [], {"prefix": prefix}) == "FORBIDDEN", prefix
    caller.send(90, "WATCH", [], {"prefix": b"a:b", "credit": 1}, None)
    assert caller.read()[:2] == [90, 1]


def test_channels_are_asked_for_literally_where_a_pattern_is_meant(town: Town) -> None:
    town.make(b"+@all", b"&news.*")
    line = town.line(b"ada")
    for words in (
        b"SUBSCRIBE other",
        b"PSUBSCRIBE *",
        b"PSUBSCRIBE news.a*",
        b"SSUBSCRIBE other",
        b"PUBLISH other x",
        b"SPUBLISH other x",
        b"SUBSCRIBE news.a other",
    ):
        assert line.call(*words.split()).value.startswith(NOPERM), words
    assert line.call(b"PUBLISH", b"news.a", b"x").value == 0
    assert line.call(b"PSUBSCRIBE", b"news.*").kind == "array"
