"""Calls that are worked out in slices, on both doors: others are served in between, and nothing else is different."""

from __future__ import annotations

import weakref
from itertools import count
from typing import Any

import pytest
from msgpack import unpackb

from kv_protocol.errors import NotFound
from kv_protocol.frames import FrameReader, pack
from kv_protocol.messages import DEADLINE, SEEN, SEQ
from kv_server.engine.rows import KEY_LOAD
from kv_server.engine.ticks import Ticks
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.native import NativeConnection, NativeDoor
from kv_server.surfaces.surface import SLICE_S
from tests.engine.rig import Rig, picture, recount, replayed
from tests.engine.text_line import read
from tests.surfaces.talk import Talk, packed

LIMITS = Limits(frame=1 << 26, batch=1 << 20, parked=10, output=1 << 26)
SIZE = 40_000
NAMES = [b"%d" % (number * 7919 % SIZE) for number in range(SIZE)]
FILLED = {
    "list": packed("RPUSH", "x", *NAMES),
    "set": packed("SADD", "x", *NAMES),
    "zset": packed("ZADD", "x", *(word for name in NAMES for word in (name, name))),
    "hash": packed("HSET", "x", *(word for name in NAMES for word in (name, name))),
    "stream": b"".join(packed("XADD", "x", b"1-%d" % (number + 1), "f", "v", "f", "w") for number in range(SIZE)),
}


def busy() -> float:
    """A clock by which every slice is over after two steps."""
    return next(TICKS)


TICKS = count(step=SLICE_S / 4)


def filled(kind: str = "list") -> Talk:
    talk = Talk(limits=LIMITS)
    talk.send(FILLED[kind])
    talk.door.ticks = Ticks(busy)
    return talk


def answer(said: bytes) -> Any:
    reply, end = read(said, 0)
    assert end == len(said)
    return reply


def heard(talk: Talk) -> bytes:
    """All that is answered in the end."""
    said = b""
    while talk.connection.stalled or talk.connection.held:
        if talk.connection.stalled:
            talk.connection.resume()
        said += talk.connection.data_to_send()
    return said


def call(talk: Talk, line: bytes | str) -> Any:
    """What is answered to one line."""
    talk.connection.receive_data(line if isinstance(line, bytes) else line.encode() + b"\r\n")
    return answer(heard(talk))


def slices(talk: Talk) -> int:
    """Let *talk* go on until it is done; how many turns that took. What was said is still to be taken."""
    turns = 0
    while talk.connection.stalled:
        talk.connection.resume()
        turns += 1
    return turns


class Native:
    """A native connection to the engine of *talk*."""

    def __init__(self, talk: Talk) -> None:
        self.rig = talk.rig
        self.connection: NativeConnection = self.door(talk).connect(lambda: None, lambda: False)
        self.reader = FrameReader(1 << 30)
        self.ask(1, "HELLO", [1])
        [[_, _, self.welcome]] = self.heard()

    def door(self, talk: Talk) -> NativeDoor:
        return NativeDoor(talk.rig.engine, LIMITS, "kv-server test", busy)

    def ask(self, *request: Any) -> None:
        self.connection.receive_data(pack(request))

    def heard(self) -> list[list[Any]]:
        found = []
        while data := self.connection.data_to_send():
            found += [unpackb(body, strict_map_key=False) for body in self.reader.feed(data)]
        return found

    def all_heard(self) -> list[list[Any]]:
        while self.connection.stalled:
            self.connection.resume()
        return self.heard()


# ---- the text door
@pytest.mark.parametrize("kind", FILLED)
def test_what_is_dumped_and_restored_in_slices_is_the_same_and_others_are_served_meanwhile(kind: str) -> None:
    talk = filled(kind)
    other = talk.another()
    talk.connection.receive_data(packed("DUMP", "x") + b"PING\r\n")
    assert talk.connection.stalled
    assert other.line("RENAME x y") == b"+OK\r\n"
    assert slices(talk) > 5
    said = heard(talk)
    octets, end = read(said, 0)
    assert said[end:] == b"+PONG\r\n"
    assert octets == call(other, "DUMP y")

    talk.connection.receive_data(packed("RESTORE", "new", "0", octets) + b"EXISTS new\r\n")
    turns = 0
    while talk.connection._work is not None:
        assert other.line("EXISTS new") == b":0\r\n"
        talk.connection.resume()
        turns += 1
    assert turns > 20
    assert heard(talk) == b"+OK\r\n:1\r\n"
    assert call(other, "DUMP new") == octets
    tx, _ = replayed(talk.rig.commits, talk.rig.engine)
    assert picture(tx.store) == picture(talk.rig.store)
    recount(talk.rig.store)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("SORT x", [b"%d" % number for number in range(SIZE)]),
        ("SORT x DESC LIMIT 10 2000", [b"%d" % number for number in range(SIZE - 11, SIZE - 2011, -1)]),
        ("SORT x ALPHA LIMIT 0 3", sorted(NAMES)[:3]),
        ("SORT x ALPHA DESC", sorted(NAMES, reverse=True)),
    ],
)
def test_what_is_sorted_in_slices_is_what_there_was(line: str, reply: list[bytes]) -> None:
    talk = filled("set")
    other = talk.another()
    talk.connection.receive_data(line.encode() + b"\r\nPING\r\n")
    assert other.line("DEL x") == b":1\r\n"
    assert slices(talk) > 5
    said = heard(talk)
    found, end = read(said, 0)
    assert (found, said[end:]) == (reply, b"+PONG\r\n")


def test_equal_weights_are_in_the_order_of_the_elements_and_bad_ones_an_error_in_its_place() -> None:
    talk = filled()
    talk.send(packed("RPUSH", "y", *(b"%d.0" % (number % 100) for number in range(SIZE))))
    talk.send(packed("RPUSH", "y", *(b"%d" % (number % 100) for number in range(SIZE))))
    expected = sorted(
        (b"%d%b" % (number % 100, ending) for ending in (b".0", b"") for number in range(SIZE)),
        key=lambda text: (float(text), text),
    )
    assert call(talk, "SORT y") == expected
    assert call(talk, "SORT y DESC") == expected[::-1]
    talk.line("RPUSH x word")
    assert talk.send(b"SORT x\r\nPING\r\n") == b"-ERR One or more scores can't be converted into double\r\n+PONG\r\n"


def test_what_is_stored_is_sorted_at_once() -> None:
    talk = filled()
    talk.connection.receive_data(packed("SORT", "x", "STORE", "y"))
    assert not talk.connection.stalled
    assert talk.take() == b":%d\r\n" % SIZE
    assert answer(talk.line("LRANGE y 0 2")) == [b"0", b"1", b"2"]


def test_keys_are_sought_in_slices_among_those_that_there_were() -> None:
    talk = Talk(limits=LIMITS)
    talk.send(packed("MSET", *(word for name in NAMES for word in (b"key:" + name, b""))))
    talk.door.ticks = Ticks(busy)
    talk.connection.receive_data(b"KEYS key:*99*\r\nPING\r\n")
    assert talk.another().line("FLUSHALL") == b"+OK\r\n"
    assert slices(talk) > 5
    said = heard(talk)
    found, end = read(said, 0)
    assert sorted(found) == sorted(b"key:" + name for name in NAMES if b"99" in name)
    assert said[end:] == b"+PONG\r\n"


def test_what_cannot_be_restored_fails_as_at_once_and_in_its_place() -> None:
    talk = filled()
    octets = call(talk, "DUMP x")
    changed = octets[:-9] + bytes((octets[-9] ^ 1,)) + octets[-8:]
    wrong = b"-ERR DUMP payload version or checksum are wrong\r\n"
    assert talk.send(packed("RESTORE", "y", "0", changed) + b"PING\r\n") == wrong + b"+PONG\r\n"
    assert talk.call("RESTORE", "y", "-1", changed) == b"-ERR Invalid TTL value, must be >= 0\r\n"
    talk.connection.receive_data(packed("RESTORE", "x", "0", changed))
    assert talk.connection.data_to_send() == b"-BUSYKEY Target key name already exists.\r\n"
    assert talk.line("EXISTS y") == b":0\r\n"


def test_a_key_that_came_meanwhile_is_not_overwritten() -> None:
    talk = filled()
    octets = call(talk, "DUMP x")
    talk.connection.receive_data(packed("RESTORE", "y", "0", octets))
    talk.another().line("SET y mine")
    assert talk.take() == b"-BUSYKEY Target key name already exists.\r\n"
    assert talk.line("GET y") == b"$4\r\nmine\r\n"
    assert talk.rig.engine.tx.work is None


def test_a_transaction_waits_for_nothing() -> None:
    talk = filled()
    octets = call(talk, "DUMP x")
    talk.connection.receive_data(b"MULTI\r\n")
    for line in (packed("RESTORE", "y", "0", octets), b"DUMP x\r\n", b"SORT x LIMIT 0 1\r\n"):
        slices(talk)
        talk.connection.receive_data(line)
    slices(talk)
    talk.connection.receive_data(b"EXEC\r\n")
    assert not talk.connection.stalled
    said = heard(talk)
    assert said.startswith(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n")
    assert read(said, said.index(b"*3"))[0] == ["OK", octets, [b"0"]]


def test_who_leaves_takes_his_work_along() -> None:
    talk = filled()
    octets = call(talk, "DUMP x")
    talk.connection.receive_data(packed("RESTORE", "y", "0", octets) + b"PING\r\n")
    talk.connection.resume()
    assert talk.connection._work is not None
    work = weakref.ref(talk.connection._work)
    talk.connection.leave()
    assert work() is None
    assert talk.take() == b""
    assert talk.another().line("EXISTS y") == b":0\r\n"


def test_replies_can_be_skipped_and_a_pause_is_kept_to() -> None:
    talk = filled()
    other = talk.another()
    octets = call(talk, "DUMP x")
    assert talk.send(b"CLIENT REPLY SKIP\r\n" + packed("RESTORE", "y", "0", octets) + b"PING\r\n") == b"+PONG\r\n"
    talk.connection.receive_data(packed("RESTORE", "z", "0", octets) + b"PING\r\n")
    other.line("CLIENT PAUSE 100 WRITE")
    assert talk.take() == b""
    assert other.line("EXISTS y z") == b":1\r\n"
    talk.advance(100)
    assert talk.take() == b"+OK\r\n+PONG\r\n"
    assert other.line("EXISTS y z") == b":2\r\n"


def test_who_looks_on_sees_one_call_and_all_the_time_that_it_took() -> None:
    talk = filled()
    monitor = talk.another()
    talk.rig.engine.observation.ticks = Ticks(busy)
    talk.line("CONFIG SET slowlog-log-slower-than 0")
    calls = talk.rig.engine.calls
    monitor.line("MONITOR")
    talk.connection.receive_data(b"DUMP x\r\n")
    turns = slices(talk)
    assert talk.rig.engine.calls == calls + 2
    assert monitor.take().count(b'"DUMP" "x"') == 1
    [slow] = [one for one in talk.rig.engine.observation.slow if one.words[0] == b"DUMP"]
    assert slow.spent_us >= turns * SLICE_S / 2 * 1e6


# ---- the native door
def test_natively_too_calls_wait_for_the_one_before_them() -> None:
    talk = filled("hash")
    native, other = Native(talk), Native(talk)
    native.ask(2, "DUMP", ["x"])
    native.ask(3, "EXISTS", ["x"])
    assert native.connection.stalled
    assert native.heard() == []
    other.ask(2, "DEL", ["x"])
    assert other.heard() == [[2, 0, 1]]
    [[_, _, octets], behind] = native.all_heard()
    assert behind == [3, 0, 0]
    native.ask(4, "RESTORE", ["y", octets])
    native.ask(5, "CANCEL", [4])
    native.ask(6, "HLEN", ["y"])
    assert native.heard() == []
    [[_, status, version], cancelled, length] = native.all_heard()
    assert (status, version) == (0, talk.rig.engine.revision)
    assert (cancelled, length) == ([5, 0, False], [6, 0, SIZE])
    assert talk.rig.rows()[-1][0] == KEY_LOAD


def test_a_long_reply_follows_long_work() -> None:
    native = Native(filled())
    native.ask(2, "SORT_RO", ["x"], {"order": "DESC"})
    native.ask(3, "EXISTS", ["x"])
    [[_, _, found], behind] = native.all_heard()
    assert found[:2] == [b"\xa5%d" % (SIZE - 1), b"\xa5%d" % (SIZE - 2)]
    assert (len(found), behind) == (SIZE, [3, 0, 1])


def test_nothing_is_applied_after_its_deadline_and_a_repeated_call_once() -> None:
    native = Native(filled())
    native.ask(2, "DUMP", ["x"])
    [[_, _, octets]] = native.all_heard()
    now_ms = native.rig.elapsed_ms
    native.ask(3, "RESTORE", ["y", octets], None, {DEADLINE: now_ms + 10})
    native.rig.advance(20)
    [[_, status, [code, *_]]] = native.all_heard()
    assert (status, code) == (2, "DEADLINE")
    native.ask(4, "RESTORE", ["y", octets], None, {SEQ: 1, SEEN: 1})
    native.ask(5, "RESTORE", ["y", octets], None, {SEQ: 1, SEEN: 1})
    first, again = native.all_heard()
    assert first[1:] == again[1:] == [0, native.rig.engine.revision]


def test_a_block_waits_for_nothing() -> None:
    native = Native(filled())
    native.ask(2, "DUMP", ["x"])
    [[_, _, octets]] = native.all_heard()
    native.ask(3, "ATOMIC", [["RESTORE", ["y", octets]], ["DUMP", ["y"]]])
    assert not native.connection.stalled
    [[_, _, [_, same]]] = native.heard()
    assert same == octets


def test_who_goes_on_elsewhere_leaves_no_work_behind() -> None:
    talk = filled()
    native = Native(talk)
    native.ask(2, "DUMP", ["x"])
    [[_, _, octets]] = native.all_heard()
    native.ask(3, "RESTORE", ["y", octets], None, {SEQ: 1})
    assert native.connection._owed is not None
    work = weakref.ref(native.connection._owed)
    other = Native(talk)
    other.connection = other.door(talk).connect(lambda: None, lambda: False)
    other.ask(1, "HELLO", [1], {"session": native.welcome["session"]})
    assert native.connection.closing
    assert work() is None
    assert other.heard()[0][:2] == [1, 0]
    other.ask(2, "RESTORE", ["y", octets], None, {SEQ: 1})
    assert other.all_heard() == [[2, 0, talk.rig.engine.revision]]


def test_work_that_must_not_be_told_of_is_not_done() -> None:
    native = Native(filled())
    native.ask(2, "DUMP", ["x"])
    [[_, _, octets]] = native.all_heard()
    native.ask(3, "RESTORE", ["y", octets])
    assert native.connection.retract(b"", lambda: NotFound("the disk failed"))
    assert [answer[:2] for answer in native.all_heard()] == [[3, 2]]
    native.ask(4, "EXISTS", ["y"])
    assert native.all_heard() == [[4, 0, 0]]


def test_the_engine_alone_does_all_at_once() -> None:
    client = Rig().connect()
    client.call("RPUSH", "x", *range(SIZE))
    octets = client.call("DUMP", "x")
    client.call("RESTORE", "y", getattr(octets, "value", octets))
    assert len(client.call("SORT_RO", "y")) == SIZE
