"""What people see of a running server over RESP: MONITOR, slow calls, latency, counts by command, settings."""

from __future__ import annotations

import pytest

from kv_server.engine.ticks import Ticks
from tests.surfaces.talk import Talk, packed

SHOWN = b"+1800000000.000000 [%b ?:0] %b\r\n"


def told(*calls: bytes, space: bytes = b"0") -> bytes:
    """What a monitor is told of *calls*."""
    return b"".join(SHOWN % (space, call) for call in calls)


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def monitor(talk: Talk) -> Talk:
    monitor = talk.another()
    assert monitor.line("MONITOR") == b"+OK\r\n"
    return monitor


def test_a_monitor_sees_what_others_call_and_nothing_of_its_own(talk: Talk, monitor: Talk) -> None:
    talk.line("SET k v")
    talk.line("GET")
    talk.line("NOPE")
    talk.line("LPUSH k v")
    assert monitor.line("PING") == told(b'"SET" "k" "v"', b'"LPUSH" "k" "v"') + b"+PONG\r\n"


def test_a_monitor_sees_words_as_they_can_be_read(talk: Talk, monitor: Talk) -> None:
    talk.call("SET", b'\x00\xff\n\r\t\a\b"\\', "é")
    assert monitor.take() == told(rb'"SET" "\x00\xff\n\r\t\a\b\"\\" "\xc3\xa9"')


def test_a_monitor_sees_the_namespace_a_call_leaves_behind(talk: Talk, monitor: Talk) -> None:
    talk.line("SELECT 3")
    talk.line("SELECT shop")
    assert monitor.take() == told(b'"SELECT" "3"', space=b"3") + told(b'"SELECT" "shop"', space=b"shop")


def test_a_monitor_sees_a_transaction_when_it_runs(talk: Talk, monitor: Talk) -> None:
    talk.line("MULTI")
    talk.line("INCR n")
    assert monitor.take() == told(b'"MULTI"')
    talk.line("CONFIG GET save")
    talk.line("EXEC")
    assert monitor.take() == told(b'"INCR" "n"', b'"EXEC"')
    talk.line("MULTI")
    talk.line("INCR n")
    talk.line("DISCARD")
    assert monitor.take() == told(b'"MULTI"', b'"DISCARD"')


def test_a_monitor_sees_no_login_and_nothing_for_operators_alone(talk: Talk, monitor: Talk) -> None:
    talk.line("AUTH secret")
    talk.line("AUTH default secret")
    talk.line("HELLO 2 AUTH default secret SETNAME me")
    talk.line("CONFIG SET timeout 0")
    talk.line("CLIENT KILL ID 99")
    talk.line("FLUSHALL")
    hidden = b'"(redacted)"'
    assert monitor.take() == told(
        b'"AUTH" ' + hidden, b'"AUTH" ' + hidden + b" " + hidden,
        b'"HELLO"' + 6 * (b" " + hidden), b'"FLUSHALL"',
    )  # fmt: skip


def test_a_call_that_waits_is_seen_once(talk: Talk, monitor: Talk) -> None:
    talk.line("BLPOP l 10")
    assert monitor.take() == told(b'"BLPOP" "l" "10"')
    talk.another().line("RPUSH l a b")
    assert monitor.take() == told(b'"RPUSH" "l" "a" "b"')


@pytest.mark.parametrize("end", ["RESET", "QUIT", "gone"])
def test_a_monitor_that_ends_costs_nothing_more(talk: Talk, monitor: Talk, end: str) -> None:
    observation = talk.rig.engine.observation
    assert observation.least_s < 0
    if end == "gone":
        monitor.connection.leave()
    else:
        monitor.line(end)
        monitor.connection.leave()
    assert observation.least_s > 0
    talk.line("SET k v")
    assert monitor.take() == b""


def test_monitor_cannot_be_queued(talk: Talk) -> None:
    talk.line("MULTI")
    talk.line("MONITOR")
    assert talk.line("EXEC") == b"*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n"


# ---- slow calls and latency
def ticking(talk: Talk, *spent_s: float) -> None:
    """Let the calls that are looked on take so long, one after the other."""
    times = [time for spent in spent_s for time in (0.0, spent)]
    talk.door.ticks = Ticks(lambda: times.pop(0) if times else 0.0)


def test_slow_calls_are_kept_with_their_words_shortened(talk: Talk) -> None:
    talk.line("CONFIG SET slowlog-log-slower-than 1000 slowlog-max-len 2")
    ticking(talk, 0.002, 0.0005, 0.003)
    talk.line("SET slow " + "x" * 130)
    talk.line("GET fast")
    talk.line("MSET " + " ".join(f"k{number} v" for number in range(20)))
    talk.line("CONFIG SET slowlog-log-slower-than -1")
    assert talk.line("SLOWLOG LEN") == b":2\r\n"
    newest, oldest = (kept.words for kept in talk.rig.engine.observation.slow)
    assert oldest == [b"SET", b"slow", b"x" * 128 + b"... (2 more bytes)"]
    assert len(newest) == 32 and newest[-1] == b"... (10 more arguments)"
    said = talk.line("SLOWLOG GET 1")
    assert said.startswith(b"*1\r\n*6\r\n:1\r\n:1800000000\r\n:3000\r\n*32\r\n$4\r\nMSET\r\n")
    assert talk.line("SLOWLOG GET -2") == b"-ERR count should be greater than or equal to -1\r\n"
    assert (talk.line("SLOWLOG RESET"), talk.line("SLOWLOG GET")) == (b"+OK\r\n", b"*0\r\n")


def test_no_login_is_kept_among_the_slow_calls(talk: Talk) -> None:
    talk.line("CONFIG SET slowlog-log-slower-than 0")
    talk.line("AUTH default secret")
    assert talk.rig.engine.observation.slow[0].words == [b"AUTH", b"(redacted)", b"(redacted)"]


def test_latency_is_sampled_once_a_second_and_kind(talk: Talk) -> None:
    talk.line("CONFIG SET latency-monitor-threshold 100")
    ticking(talk, 0.2, 0.5, 0.05, 0.3)
    talk.line("KEYS *")
    talk.line("KEYS *")
    talk.line("KEYS *")
    talk.line("GET k")
    talk.line("CONFIG SET latency-monitor-threshold 0")
    assert talk.line("LATENCY HISTORY command") == b"*1\r\n*2\r\n:1800000000\r\n:500\r\n"
    assert talk.line("LATENCY LATEST") == (
        b"*2\r\n*4\r\n$7\r\ncommand\r\n:1800000000\r\n:500\r\n:500\r\n"
        b"*4\r\n$12\r\nfast-command\r\n:1800000000\r\n:300\r\n:300\r\n"
    )
    graph = talk.line("LATENCY GRAPH command").decode()
    assert "command - high 500 ms, low 500 ms (all time high 500 ms)\n" + "-" * 80 in graph
    assert "500 ms at most" in talk.line("LATENCY DOCTOR").decode()
    assert talk.line("LATENCY RESET command nope") == b":1\r\n"
    assert talk.line("LATENCY RESET") == b":1\r\n"
    assert talk.line("LATENCY GRAPH command") == b"-ERR No samples available for event 'command'\r\n"


def test_a_graph_of_latency_rises_with_its_samples(talk: Talk) -> None:
    for second, spent_ms in enumerate((10, 20, 30, 40)):
        talk.rig.engine.observation.sample("command", spent_ms)
        talk.advance(1_000 if second < 3 else 0)
    rows = talk.line("LATENCY GRAPH command").decode().split("\n")[3:10]
    assert [row.rstrip() for row in rows] == ["   #", "  #|", " o||", "_|||", "", "3210", "ssss"]


def test_calls_are_counted_and_timed_by_command(talk: Talk) -> None:
    ticking(talk, 0.000_001, 0.000_003, 0.000_100)
    talk.line("GET a")
    talk.line("GET b")
    talk.line("INCR n")
    assert talk.line("LATENCY HISTOGRAM GET") == (
        b"*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n*4\r\n:2\r\n:1\r\n:4\r\n:2\r\n"
    )
    info = talk.line("INFO commandstats latencystats").decode()
    assert "cmdstat_get:calls=2,usec=4,usec_per_call=2.00,rejected_calls=0,failed_calls=0\r\n" in info
    assert "latency_percentiles_usec_incr:p50=128.000,p99=128.000,p99.9=128.000\r\n" in info
    talk.line("CONFIG SET latency-tracking no")
    assert talk.line("LATENCY HISTOGRAM GET") == b"*0\r\n"
    talk.line("CONFIG RESETSTAT")
    assert "cmdstat_get" not in talk.line("INFO commandstats").decode()


def test_a_command_of_two_words_is_counted_under_both(talk: Talk) -> None:
    talk.line("CLIENT ID")
    assert "cmdstat_client|id:calls=1," in talk.line("INFO commandstats").decode()
    assert b"client|id" in talk.line("LATENCY HISTOGRAM client")


# ---- INFO
def info(talk: Talk, *sections: str) -> dict[str, str]:
    said = talk.call("INFO", *sections).decode().partition("\r\n")[2]
    return dict(line.split(":", 1) for line in said.split("\r\n") if ":" in line)


def test_errors_are_counted_by_their_first_word(talk: Talk) -> None:
    talk.line("SET s x")
    for line in ("NOPE", "LPUSH s x", "GET", "AUTH a b", "MULTI", "INCR s", "EXEC"):
        talk.line(line)
    assert info(talk, "errorstats") == {
        "errorstat_ERR": "count=3", "errorstat_WRONGPASS": "count=1", "errorstat_WRONGTYPE": "count=1",
    }  # fmt: skip
    assert info(talk, "stats")["total_error_replies"] == "5"
    talk.line("CONFIG RESETSTAT")
    assert info(talk, "stats")["total_error_replies"] == "0"


def test_reads_are_counted_by_whether_the_key_was_there(talk: Talk) -> None:
    for line in ("SET k v", "GET k", "EXISTS k", "GET none", "PING", "HGET none f"):
        talk.line(line)
    found = info(talk, "stats")
    assert (found["keyspace_hits"], found["keyspace_misses"]) == ("2", "2")


def test_info_has_the_usual_sections_unless_others_are_named(talk: Talk) -> None:
    def titles(*words: str) -> list[str]:
        return [line[2:] for line in talk.call("INFO", *words).decode().split("\r\n") if line.startswith("# ")]

    usual = [
        "Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Errorstats", "Cluster",
        "Keyspace", "Kv",
    ]  # fmt: skip
    assert titles() == titles("default") == usual
    assert set(titles("all")) - set(usual) == {"Commandstats", "Latencystats", "Namespaces"}
    assert titles("everything") == titles("ALL")
    assert titles("cpu", "Keyspace") == ["CPU", "Keyspace"]
    assert titles("nope") == []


# ---- settings
def test_settings_that_live_take_effect_all_or_none(talk: Talk) -> None:
    said = talk.line("CONFIG SET slowlog-max-len 5 latency-tracking perhaps")
    assert said.startswith(b"-ERR CONFIG SET failed (possibly related to argument 'latency-tracking') - ")
    assert talk.line("CONFIG GET slowlog-max-len") == b"*2\r\n$15\r\nslowlog-max-len\r\n$3\r\n128\r\n"
    assert talk.line("CONFIG SET slowlog-max-len 5 latency-tracking YES") == b"+OK\r\n"
    assert b"$3\r\nyes\r\n" in talk.line("CONFIG GET latency-tracking")
    assert talk.rig.engine.observation.slow.maxlen == 5


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("SET k 12", "int"),
        ("SET k word", "embstr"),
        ("SET k " + "x" * 45, "raw"),
        ("SADD k 1 2 -3", "intset"),
        ("SADD k 1 two", "listpack"),
        ("SADD k " + " ".join(map(str, range(513))), "hashtable"),
        ("SADD k " + "x" * 65, "hashtable"),
        ("HSET k f v", "listpack"),
        ("HSET k f " + "x" * 65, "hashtable"),
        ("ZADD k 1 m", "listpack"),
        ("ZADD k 1 " + "x" * 65, "skiplist"),
        ("RPUSH k a b", "listpack"),
        ("RPUSH k " + "x" * 8_192, "quicklist"),
        ("XADD k * f v", "stream"),
    ],
)
def test_encodings_have_redis_s_names_and_its_first_limits(talk: Talk, words: str, encoding: str) -> None:
    talk.line(words)
    assert talk.line("OBJECT ENCODING k") == b"$%d\r\n%b\r\n" % (len(encoding), encoding.encode())


def test_clients_know_a_server_without_a_cluster_by_its_words(talk: Talk) -> None:
    for line in ("CLUSTER INFO", "CLUSTER SLOTS", "READONLY", "ASKING"):
        assert talk.line(line) == b"-ERR This instance has cluster support disabled\r\n"


def test_a_pipeline_is_seen_from_the_call_after_monitor_on(talk: Talk) -> None:
    monitor = talk.another()
    monitor.send(packed("MONITOR"))
    talk.send(packed("SET", "a", "1") + packed("INCR", "a"))
    assert monitor.take() == told(b'"SET" "a" "1"', b'"INCR" "a"')


def test_test_suites_of_clients_get_the_errors_they_ask_for(talk: Talk) -> None:
    assert talk.call("DEBUG", "ERROR", "LOADING fake message") == b"-LOADING fake message\r\n"
    assert talk.call("DEBUG", "ERROR", "a\r\nb") == b"-a  b\r\n"
    assert talk.line("DEBUG JMAP").startswith(b"-ERR unknown subcommand or wrong number of arguments for 'JMAP'.")


def test_the_list_of_commands_has_those_of_two_words_too(talk: Talk) -> None:
    said = talk.line("COMMAND LIST")
    assert b"\r\nclient\r\n" in said and b"\r\nclient|list\r\n" in said
