"""The Redis door on one connection: order, waiting, limits, and what a client may do to it."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import InternalError, ProtocolError, TooManyConnections
from kv_server.engine.ticks import Ticks
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.pieces import SLICE_S
from tests.surfaces.talk import Talk, packed


def test_calls_are_answered_in_order_in_whatever_form_they_come() -> None:
    talk = Talk()
    data = packed("SET", "k", "1") + b"incr k\r\n" + packed("get", "k") + b"PING\r\n" + packed("Nope")
    said = talk.send(data)
    assert said == b"+OK\r\n:2\r\n$1\r\n2\r\n+PONG\r\n-ERR unknown command 'Nope', with args beginning with: \r\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("GET", b"-ERR wrong number of arguments for 'get' command\r\n"),
        ("SET k v EX", b"-ERR syntax error\r\n"),
        ("SET k v EX 0", b"-ERR invalid expire time in 'set' command\r\n"),
        ("INCRBY k x", b"-ERR value is not an integer or out of range\r\n"),
        ("foo a b", b"-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
        ("CLIENT", b"-ERR wrong number of arguments for 'client' command\r\n"),
        ("client nope", b"-ERR unknown subcommand 'nope'. Try CLIENT HELP.\r\n"),
        ("CLIENT REPLY MAYBE", b"-ERR syntax error\r\n"),
        ("HELLO 4", b"-NOPROTO unsupported protocol version\r\n"),
        ("RENAME a b", b"-ERR no such key\r\n"),
        ("SELECT 16", b"-ERR DB index is out of range\r\n"),
    ],
)
def test_errors_have_redis_s_words(line: str, said: bytes) -> None:
    assert Talk().line(line) == said


def test_what_a_client_sent_cannot_split_a_reply() -> None:
    said = Talk().call(b"no\r\n+OK", b"\r\n:1\r\n")
    assert said.count(b"\r\n") == 1 and said.startswith(b"-ERR unknown command 'no  +OK'")


def test_hello_switches_the_protocol_with_its_own_answer() -> None:
    talk = Talk()
    assert talk.line("HELLO").startswith(b"*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n")
    said = talk.line("HELLO 3 SETNAME me")
    assert said.startswith(b"%7\r\n") and b"$5\r\nproto\r\n:3\r\n" in said
    assert talk.line("GET none") == b"_\r\n"
    assert talk.line("CLIENT GETNAME") == b"$2\r\nme\r\n"
    assert talk.line("RESET") == b"+RESET\r\n"
    assert talk.line("GET none") == b"$-1\r\n"
    assert talk.line("CLIENT GETNAME") == b"$-1\r\n"


def test_hello_that_fails_changes_nothing() -> None:
    talk = Talk()
    assert talk.line("HELLO 3 SETNAME a AUTH u p").startswith(b"-WRONGPASS ")
    assert talk.line("CLIENT GETNAME") == b"$-1\r\n"
    assert talk.line("HELLO 3 AUTH default any SETNAME a").startswith(b"%7\r\n")


def test_a_connection_has_its_own_namespace() -> None:
    talk = Talk()
    other = talk.another()
    assert talk.line("SELECT 3") == b"+OK\r\n"
    assert talk.line("SET k v") == b"+OK\r\n"
    assert other.line("GET k") == b"$-1\r\n"
    assert other.line("SELECT shop") == b"+OK\r\n"
    assert other.line("SWAPDB 3 0") == b"+OK\r\n"
    assert (talk.line("DBSIZE"), other.line("SELECT 0"), other.line("GET k")) == (b":0\r\n", b"+OK\r\n", b"$1\r\nv\r\n")


# ---- waiting
def test_a_call_that_waits_holds_up_its_own_connection_and_no_other() -> None:
    talk = Talk()
    other = talk.another()
    token = other.line("LOCK l")
    assert token.startswith(b"*2\r\n:")
    assert talk.send(packed("LOCK", "l", "WAIT", "60") + packed("SET", "k", "1") + b"PING\r\n") == b""
    assert talk.send(packed("INCR", "k")) == b""
    assert not talk.connection.halfway
    assert other.line("GET k") == b"$-1\r\n"
    assert other.call("UNLOCK", "l", token[5:].partition(b"\r")[0]) == b"$-1\r\n"
    said = talk.take()
    assert said.startswith(b"*2\r\n:") and said.endswith(b"+OK\r\n+PONG\r\n:2\r\n")
    assert talk.woken == 1


def test_a_wait_that_ends_lets_the_next_call_go_on() -> None:
    talk = Talk()
    talk.another().line("LOCK l")
    assert talk.send(packed("LOCK", "l", "WAIT", "0.5") + b"PING\r\n") == b""
    talk.advance(500)
    said = talk.take()
    assert said.startswith(b"-ERR the lock is held by ") and said.endswith(b"\r\n+PONG\r\n")


def test_what_waits_is_withdrawn_with_its_connection() -> None:
    talk = Talk()
    other = talk.another()
    other.line("LOCK l EX 1")
    talk.line("LOCK l WAIT 60")
    talk.connection.leave()
    assert talk.rig.engine.statistics()["waiting_calls"] == 0
    assert talk.rig.engine.statistics()["sessions"] == 1
    talk.advance(1000)
    assert other.line("LOCK l").startswith(b"*2\r\n:")


def test_who_is_being_ended_takes_nothing_more() -> None:
    talk = Talk()
    other = talk.another()
    assert talk.line("BLPOP l 0") == b""
    talk.connection.close(ProtocolError("ended"))
    assert other.line("RPUSH l 1") == b":1\r\n"
    assert other.line("LLEN l") == b":1\r\n"
    assert talk.take() == b""


def test_too_much_input_behind_a_call_that_waits_ends_the_connection() -> None:
    talk = Talk(limits=Limits(frame=1000, batch=10, parked=10, output=1000))
    talk.another().line("LOCK l")
    talk.line("LOCK l WAIT 60")
    assert talk.send(b"x" * 900) == b""
    assert talk.send(b"x" * 200).startswith(b"-ERR Protocol error: too much input")
    assert talk.connection.closing


def test_debug_sleep_keeps_nobody_else() -> None:
    talk = Talk()
    other = talk.another()
    assert talk.send(packed("DEBUG", "SLEEP", "0.2") + b"PING\r\n") == b""
    assert other.line("PING") == b"+PONG\r\n"
    talk.advance(200)
    assert talk.take() == b"+OK\r\n+PONG\r\n"


def test_a_pause_holds_up_all_connections_until_it_ends() -> None:
    talk = Talk()
    other = talk.another()
    assert talk.line("CLIENT PAUSE 100 WRITE") == b"+OK\r\n"
    assert other.send(b"get k\r\nset k 1\r\nget k\r\n") == b"$-1\r\n"
    assert talk.line("CLIENT UNPAUSE") == b"+OK\r\n"
    assert other.take() == b"+OK\r\n$1\r\n1\r\n"
    assert talk.send(packed("CLIENT", "PAUSE", "100") + b"PING\r\n") == b"+OK\r\n"
    assert other.line("PING") == b""
    talk.advance(100)
    assert (talk.take(), other.take()) == (b"+PONG\r\n", b"+PONG\r\n")


def test_a_waiting_call_can_be_ended_from_outside() -> None:
    talk = Talk()
    other = talk.another()
    other.line("LOCK l")
    number = talk.line("CLIENT ID")[1:].decode()
    assert other.line(f"CLIENT UNBLOCK {number}") == b":0\r\n"
    talk.line("LOCK l WAIT 60")
    assert other.line(f"CLIENT UNBLOCK {number} ERROR") == b":1\r\n"
    assert talk.take() == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    talk.line("LOCK l WAIT 60")
    assert other.line(f"CLIENT UNBLOCK {number}") == b":1\r\n"
    assert talk.take().startswith(b"-ERR the lock is held")


# ---- replies
def test_replies_can_be_switched_off() -> None:
    talk = Talk()
    assert talk.send(b"client reply skip\r\nset k 1\r\nget k\r\n") == b"$1\r\n1\r\n"
    assert talk.send(b"client reply off\r\nset k 2\r\nnope\r\n") == b""
    assert talk.send(b"get k\r\nclient reply on\r\nget k\r\n") == b"+OK\r\n$1\r\n2\r\n"


def test_a_fence_prefixes_any_command() -> None:
    talk = Talk()
    token = talk.line("LOCK l").split(b"\r\n")[1][1:].decode()
    assert talk.line(f"FENCED l {token} SET k v EX 5") == b"+OK\r\n"
    assert talk.line(f"FENCED l {token} TTL k") == b":5\r\n"
    assert talk.line(f"FENCED l {token} NOPE").startswith(b"-ERR unknown command 'NOPE'")
    assert talk.line(f"FENCED l {int(token) + 1} SET k w").startswith(b"-ERR the lock is not held")
    talk.line(f"UNLOCK l {token}")
    assert talk.line(f"FENCED l {token} SET k w").startswith(b"-ERR the lock is not held")
    assert talk.line("GET k") == b"$1\r\nv\r\n"


def test_quit_is_the_last_call() -> None:
    talk = Talk()
    assert talk.send(b"set k 1\r\nquit\r\nset k 2\r\n") == b"+OK\r\n+OK\r\n"
    assert talk.connection.closing
    assert talk.another().line("GET k") == b"$1\r\n1\r\n"


def test_a_client_can_be_ended_by_another_and_by_itself() -> None:
    talk = Talk()
    other = talk.another()
    number = talk.line("CLIENT ID")[1:].decode()
    other.line("PING")
    talk.rig.engine.sessions[int(number)].outbox.close(ProtocolError("ended"))  # type: ignore[union-attr]
    assert talk.connection.closing and talk.take() == b""


# ---- limits and hostility
@pytest.mark.parametrize("line", [b"POST / x\r\n", b"Host: x\r\n", b"GET / HTTP/1.1\r\n", b"post\r\n"])
def test_a_browser_is_closed_without_a_word_and_nothing_of_it_runs(line: bytes) -> None:
    talk = Talk()
    assert talk.send(line + b"SET k v\r\n") == b""
    assert talk.connection.closing
    assert talk.rig.engine.statistics()["keys"] == 0


def test_a_broken_protocol_is_answered_once_and_ends_the_connection() -> None:
    talk = Talk()
    assert talk.send(b"PING\r\n*1\r\n$x\r\nPING\r\n") == b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"
    assert talk.connection.closing
    assert talk.send(b"PING\r\n") == b""
    assert talk.door.trouble() == (1, 0)


def test_who_does_not_read_stops_being_served() -> None:
    talk = Talk(limits=Limits(frame=1 << 24, batch=10, parked=10, output=1 << 24))
    talk.call("SET", "k", b"x" * 600_000)
    talk.connection.receive_data(packed("GET", "k") * 5)
    assert talk.connection.stalled
    assert 1_000_000 < talk.connection.held < 1_300_000
    assert len(talk.take()) == 5 * 600_011


def test_a_long_answer_is_made_while_it_is_sent_and_what_comes_behind_waits_for_it() -> None:
    talk = Talk()
    words = [b"%d" % number for number in range(2_000)]
    talk.call("RPUSH", "l", *words)
    talk.connection.receive_data(packed("LRANGE", "l", "0", "-1") + packed("DEL", "l"))
    talk.connection.push("message", b"c", b"m")
    talk.door.ticks = Ticks(count(step=SLICE_S / 2).__next__)  # a slice of time is two looks at the clock
    parts = []
    while talk.connection.held:
        parts.append(talk.connection.data_to_send())
    assert len(parts) > 3
    items = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    assert b"".join(parts) == b"*2000\r\n" + items + b":1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"


def test_a_slice_of_time_is_all_a_connection_gets_at_once() -> None:
    talk = Talk()
    ticks = iter(range(1000))
    talk.door.ticks = Ticks(lambda: next(ticks) / 1000)
    talk.connection.receive_data(packed("INCR", "k") * 50)
    assert talk.connection.stalled
    assert talk.take().count(b"\r\n") == 50


def test_a_bug_is_told_by_its_number_and_without_its_text() -> None:
    talk = Talk()
    talk.rig.engine.execute = broken
    assert talk.line("GET k") == b"-ERR a bug of the server: see incident 1 in its log\r\n"
    assert talk.line("GET k") == b"-ERR a bug of the server: see incident 1 in its log\r\n"
    assert talk.door.trouble() == (0, 2)


def broken(*args: object) -> object:
    raise KeyError("secret")


def test_a_full_server_says_so_and_time_limits_say_nothing() -> None:
    talk = Talk()
    talk.connection.refuse(TooManyConnections("full"))
    assert talk.take() == b"-ERR max number of clients reached\r\n"
    talk = Talk()
    talk.connection.refuse(ProtocolError("the connection was idle for too long"))
    assert talk.take() == b"" and talk.connection.closing


def test_a_late_failure_is_told_like_any_other() -> None:
    talk = Talk()
    talk.another().line("LOCK l")
    talk.line("LOCK l WAIT 60")
    talk.connection.fail(1, InternalError("a bug of the server"))
    assert talk.take() == b"-ERR a bug of the server\r\n"


WORDS = st.sampled_from(
    b"SET GET INCR k v HELLO 2 3 CLIENT LIST REPLY ON PAUSE 1 SELECT QUIT RESET LOCK WAIT 0 EX COMMAND INFO MULTI EXEC "
    b"SUBSCRIBE CONFIG * MSET FENCED DEBUG SLEEP -1 OBJECT ENCODING SCAN MATCH COUNT EXPIRE TTL "
    b"MONITOR SLOWLOG LATENCY GRAPH command".split()
)


@settings(max_examples=200)
@given(st.lists(st.lists(WORDS | st.binary(max_size=5), min_size=1, max_size=6), max_size=8), st.binary(max_size=20))
def test_whatever_is_sent_the_server_goes_on(lines: list[list[bytes]], noise: bytes) -> None:
    talk = Talk()
    talk.send(b"".join(packed(*line) for line in lines) + noise)
    talk.advance(2000)
    talk.take()
    assert talk.door.trouble()[1] == 0
    assert talk.another().line("ECHO alive") in (b"$5\r\nalive\r\n", b"")
