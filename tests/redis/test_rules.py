"""Rules of users, given to Redis and to kv: the same are taken, the others are refused in the same words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis.client import Connection
from tests.redis.servers import Server

RULES = """\
on nopass +get ~a*
+@all -@dangerous
-@all +@read -get +get
~a ~a %R~a %W~b &x &y
allkeys resetkeys ~x
~* ~a
allchannels &a
&a allchannels
+nonsense
+@nonsense
#abc
foo
(+get
(+get ~x)
%X~a
+config|get|x
+config|nonsense
+client|list -client +client|id
(+set ~z %R~y &c) (+get)
(+get) clearselectors
off resetpass nocommands
allcommands -set
resetchannels &a
%RW~q
%r~q
()
(on)
"""


@pytest.fixture
def links(redis: Server, kv: Server) -> Iterator[list[Connection]]:
    found = [Connection(server.port) for server in (redis, kv)]
    yield found
    for link in found:
        link.close()


@pytest.mark.parametrize("line", RULES.splitlines())
def test_rules_are_those_of_redis(line: str, links: list[Connection]) -> None:
    rules = line.encode().split()
    answers = []
    for link in links:
        link.call(b"ACL", b"DELUSER", b"ada")
        said = link.call(b"ACL", b"SETUSER", b"ada", *rules)
        got = link.call(b"ACL", b"GETUSER", b"ada")
        answers.append((said, got))
        link.call(b"ACL", b"DELUSER", b"ada")
    (theirs, there), (ours, here) = answers
    assert ours == theirs
    if ours.kind == "error":
        return
    facts = [dict(zip([one.value for one in got.value[::2]], got.value[1::2], strict=True)) for got in (there, here)]
    for fact in (b"flags", b"keys", b"channels"):
        assert facts[0][fact] == facts[1][fact], fact
