"""A user of some namespaces reads, changes, lists, watches and hears nothing of others, whatever they are called."""

from __future__ import annotations

import pytest

from kv_protocol.values import encode
from tests.attacks.conftest import Town

NOPERM = b"NOPERM "
HOSTILE = (
    b"..", b"../own", b"own/..", b"own:k", b"own\0", b"\0", b"", b"*", b"own*", b"[o]wn", b"?wn", b"OWN", b"own ",
    b" own", b"own\n", "öwn".encode(), b"\xed\xa0\x80", b"\xff", b"o" * 65_536, b"0", b"1",
)  # fmt: skip


@pytest.fixture
def tenant(town: Town) -> Town:
    town.make(b"+@all", b"allkeys", b"allchannels", b"ns=own")
    return town


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_no_spelling_leads_out(tenant: Town, name: bytes) -> None:
    caller, line = tenant.caller(namespace=b"own"), tenant.line(b"ada")
    assert line.call(b"SELECT", b"own").value == b"OK"
    assert caller.call("SET", [b"k", encode(1)]) != "FORBIDDEN"
    for word, args in (("GET", [b"k"]), ("SET", [b"k", encode(2)]), ("DBSIZE", []), ("LOCKS", []), ("FLUSHDB", [])):
        assert caller.call(word, args, None, {4: name}) == "FORBIDDEN", (word, name)
    assert caller.call("WATCH", [b"k"], {"credit": 1}, {4: name}) == "FORBIDDEN"
    assert caller.call("SUBSCRIBE", [b"c"], {"credit": 1}, {4: name}) == "FORBIDDEN"
    assert caller.call("ATOMIC", [[b"GET", [b"k"], None]], None, {4: name}) == "FORBIDDEN"
    assert caller.call("COPY", [b"k", b"k"], {"namespace": name}) == "FORBIDDEN"
    for word, args in (("MOVE", [b"k", name]), ("NAMESPACE STATS", [name]), ("NAMESPACE DROP", [name])):
        assert caller.call(word, args) == "FORBIDDEN", (word, name)
    for words in (
        (b"SELECT", name),
        (b"MOVE", b"k", name),
        (b"COPY", b"k", b"k", b"DB", name),
        (b"SWAPDB", b"own", name),
    ):
        assert line.call(*words).value.startswith((NOPERM, b"ERR DB index")), words
    if len(name) < 16_000:
        assert tenant.caller(namespace=name).call("GET", [b"k"]) == "FORBIDDEN"


def test_what_is_about_all_namespaces_is_refused(tenant: Town) -> None:
    caller, line = tenant.caller(namespace=b"own"), tenant.line(b"ada")
    line.call(b"SELECT", b"own")
    for words in (b"FLUSHALL", b"NAMESPACE LIST", b"INFO", b"MONITOR", b"CLIENT LIST", b"SLOWLOG GET", b"ACL LIST",
                  b"CONFIG GET *", b"TOKEN LIST", b"SAVE"):  # fmt: skip
        assert line.call(*words.split()).value.startswith(NOPERM), words
    for word in ("NAMESPACE LIST", "INFO", "MONITOR", "CLIENT LIST", "ACL USERS", "SNAPSHOT"):
        assert caller.call(word) == "FORBIDDEN", word


def test_channels_of_numbered_namespaces_are_heard_only_by_those_who_may_enter_them(town: Town) -> None:
    town.make(b"+@all", b"allkeys", b"allchannels", b"ns=0")
    line, native = town.line(b"ada"), town.caller(b"default", b"the-secret-of-the-operator")
    assert town.operator.call(b"CONFIG", b"SET", b"notify-keyspace-events", b"KEA").value == b"OK"
    line.call(b"PSUBSCRIBE", b"*")
    assert native.call("PUBLISH", [b"news", encode("hidden")], None, {4: b"3"}) is not None
    native.call("SET", [b"hidden", encode(1)], None, {4: b"3"})
    native.call("SET", [b"seen", encode(1)], None, {4: b"0"})
    heard = [reply.value for reply in line.arrived(5)]
    assert heard and b"hidden" not in repr(heard).encode()
    assert b"__keyspace@0__:seen" in repr(heard).encode()
    town.operator.call(b"CONFIG", b"SET", b"notify-keyspace-events", b"")


def test_a_token_opens_no_more_than_its_namespaces(town: Town) -> None:
    town.make(b"+@all", b"allkeys", b"allchannels")
    token = town.operator.call(*b"TOKEN CREATE ada NAMESPACES 1 own".split()).value
    caller, line = town.stranger(token=token, namespace=b"own"), town.line(b"token", token)
    assert caller.call("SET", [b"k", encode(1)]) != "FORBIDDEN"
    assert caller.call("GET", [b"k"], None, {4: b"0"}) == "FORBIDDEN"
    assert caller.call("INFO") == "FORBIDDEN"
    assert line.call(b"GET", b"k").value.startswith(NOPERM)
    assert line.call(b"SELECT", b"own").value == b"OK"
    assert line.call(b"EXISTS", b"k").value == 1
    assert line.call(b"FLUSHALL").value.startswith(NOPERM)
