"""Values, conditions, times to live and namespaces: the same answers, and the same errors, on every face."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

import kv_client as kv

VALUES = [
    None, True, False, 0, -1, 2**63, 2**70, -(2**70), 0.0, 1.5, -1e300, "", "1", "\U0001f980", b"", b"\x00\xff", b"1",
    Decimal("1.0"), Decimal("-0.00"), Decimal("1E+400"), datetime(2026, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), [], {}, [1, [2, [b"3"]]],
    {"a": None, "b": {"c": [Decimal("2"), datetime(2000, 2, 29, tzinfo=UTC)]}},
]  # fmt: skip


async def test_values_come_back_as_they_were(face):
    async with face.connect() as client:
        for value in VALUES:
            await client.set("a", value)
            back = await client.get("a")
            assert (back, type(back), repr(back)) == (value, type(value), repr(value))
        assert await client.echo(VALUES) == VALUES
        assert await client.get("absent") is None
        assert await client.get("absent", default=7) == 7
        await client.set("nothing", None)
        assert await client.get("nothing", default=7) is None


async def test_what_is_no_value_or_no_key_is_refused_and_changes_nothing(face):
    async with face.connect() as client:
        await client.set("a", 1)
        elsewhere = timezone(timedelta(hours=-3))
        for value in (object(), {1: 2}, datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=elsewhere), {"a": {1, 2}}):
            with pytest.raises(kv.InvalidArgument):
                await client.set("a", value)
        for key in (1, None, ["a"]):
            with pytest.raises(kv.InvalidArgument):
                await client.set(key, 1)
        with pytest.raises(kv.InvalidArgument, match="a duration must be"):
            await client.set("a", 2, ttl=-1)
        assert await client.get("a") == 1
        assert client.statistics().open_calls == 0


async def test_a_condition_tells_the_entry_as_it_is(face):
    async with face.connect() as client:
        first = await client.set("a", "one", ttl=60)
        entry = await client.get_entry("a")
        assert (entry.value, entry.version) == ("one", first)
        assert 50 < entry.ttl <= 60
        second = await client.set("a", "two", if_version=first)
        assert second > first
        with pytest.raises(kv.ConditionFailed) as caught:
            await client.set("a", "three", if_version=first)
        assert (caught.value.code, caught.value.maybe_applied) == ("CONDITION", False)
        assert caught.value.current == kv.Entry("two", second, None)
        with pytest.raises(kv.ConditionFailed) as caught:
            await client.delete("a", if_version=first)
        assert caught.value.current.version == second
        with pytest.raises(kv.ConditionFailed) as caught:
            await client.set("absent", 1, if_version=first)
        assert caught.value.current is None
        assert await client.set("new", 1, if_version=0) > second
        with pytest.raises(kv.ConditionFailed) as caught:
            await client.set("new", 2, if_absent=True)
        assert caught.value.current.value == 1
        assert await client.mget("a", "new", "absent") == ["two", 1, None]


async def test_add_sets_what_is_absent(face):
    async with face.connect() as client:
        assert await client.add("a", 1) is True
        assert await client.add("a", 2) is False
        assert await client.get("a") == 1
        async with face.tasks() as tasks:
            tries = [tasks.start(client.add, "one", number) for number in range(20)]
        won = [number for number, task in enumerate(tries) if await task.result()]
        assert len(won) == 1
        assert await client.get("one") == won[0]


async def test_update_knows_missing_delete_and_abort(face):
    seen = []

    def say(wanted):
        def change(value):
            seen.append(value)
            return wanted

        return change

    async def slowly(value):
        await face.sleep(0)
        return value + 1

    def fail(value):
        raise LookupError(value)

    async with face.connect() as client:
        assert await client.update("a", say(kv.DELETE)) is kv.MISSING
        assert await client.update("a", say(kv.ABORT)) is kv.MISSING
        assert await client.update("a", say(1)) == 1
        assert await client.update("a", slowly) == 2
        await client.expire("a", 60)
        assert await client.update("a", say(kv.ABORT)) == 2
        assert await client.update("a", say(3)) == 3
        assert 50 < await client.ttl("a") <= 60
        assert await client.update("a", say(kv.DELETE)) is kv.MISSING
        assert await client.exists("a") == 0
        assert seen == [kv.MISSING, kv.MISSING, kv.MISSING, 2, 2, 3]
        with pytest.raises(LookupError):
            await client.update("a", fail)
        with pytest.raises(kv.InvalidArgument, match="attempts: at least 1"):
            await client.update("a", fail, attempts=0)


async def test_update_gives_up_after_its_attempts(face):
    async with face.connect() as client:
        await client.set("a", 0)

        async def outrun(value):
            await client.incr("a")
            return value

        with pytest.raises(kv.ConditionFailed) as caught:
            await client.update("a", outrun, attempts=3)
        assert caught.value.current.value == await client.get("a") == 3


async def test_updates_of_twenty_tasks_lose_nothing(face):
    async with face.connect() as client:
        async with face.tasks() as tasks:
            for _ in range(20):
                tasks.start(client.update, "n", lambda value: 1 if value is kv.MISSING else value + 1, attempts=300)
        assert await client.get("n") == 20


async def test_counters_stay_in_the_class_of_numbers_and_refuse_others(face):
    async with face.connect() as client:
        assert await client.incr("n") == 1
        assert await client.incr("d", by=Decimal("0.5")) == Decimal("0.5")
        with pytest.raises(kv.NotANumber, match="int cannot be counted with decimal"):
            await client.incr("n", by=Decimal("0.5"))
        assert await client.decr("m", by=5) == -5
        async with face.tasks() as tasks:
            counts = [tasks.start(client.incr, "many") for _ in range(100)]
        assert sorted([await task.result() for task in counts]) == list(range(1, 101))
        await client.set("text", "x")
        with pytest.raises(kv.NotANumber) as caught:
            await client.incr("text")
        assert caught.value.code == "NOT_NUMBER"


async def test_a_time_to_live_ends(face):
    async with face.connect() as client:
        await client.set("a", 1, ttl=0.05)
        await client.set("b", 1, ttl=timedelta(minutes=1))
        assert 50 < await client.ttl("b") <= 60
        assert await client.persist("b") is True
        assert await client.ttl("b") is None
        assert await client.expireat("b", datetime.now(UTC) + timedelta(hours=1))
        assert 3_500 < await client.ttl("b") < 3_601

        async def gone():
            return await client.get("a") is None

        await face.until(gone)
        assert await client.add("a", 2)


async def test_namespaces_are_apart(face):
    async with face.connect() as client:
        other = client.ns(client.namespace + "other")
        await client.set("a", 1)
        await other.set("a", 2)
        assert (await client.get("a"), await other.get("a")) == (1, 2)
        assert await client.ns(client.namespace).get("a") == 1
        assert {client.namespace, other.namespace} <= set(await client.namespaces())
        async with other.lock("l", wait=0), client.lock("l", wait=0):
            assert [lock.lock for lock in await other.locks()] == ["l"]
        assert await other.drop_namespace(other.namespace)
        assert (await client.get("a"), await other.get("a")) == (1, None)


MISTAKES = [
    (kv.WrongType, "WRONG_TYPE", lambda client: client.hget("list", "f")),
    (kv.WrongType, "WRONG_TYPE", lambda client: client.incr("list")),
    (kv.NotANumber, "NOT_NUMBER", lambda client: client.incr("text")),
    (kv.NotFound, "NOT_FOUND", lambda client: client.rename("absent", "b")),
    (kv.OutOfRange, "RANGE", lambda client: client.lset("list", 9, 1)),
    (kv.InvalidArgument, "INVALID", lambda client: client.stream("s").range("x", "y")),
    (kv.InvalidArgument, "INVALID", lambda client: client.rate_limit("r", 0, 1)),
    (kv.StaleFence, "STALE_FENCE", lambda client: client.set("a", 1, fence=kv.Fence("l", 1))),
    (kv.LockLost, "LOCK_LOST", lambda client: client.release_lock("l", 1)),
    (kv.UnknownCommand, "UNKNOWN_COMMAND", lambda client: client._call("NONSENSE", (), None, 0)),
]


async def test_a_mistake_raises_the_same_error_on_every_face(face):
    """The same class, code and message: those of the first face that was asked."""
    async with face.connect() as client:
        await client.rpush("list", 1)
        await client.set("text", "x")
        told = []
        for kind, code, call in MISTAKES:
            with pytest.raises(kv.KvError) as caught:
                await call(client)
            error = caught.value
            assert (type(error), error.code, error.maybe_applied) == (kind, code, False)
            assert error.__cause__ is None
            assert not error.retryable
            told.append(f"{error}".replace(client.namespace, ""))
        assert TOLD.setdefault("mistakes", told) == told
        assert await client.ping() == "PONG"
        assert client.statistics().connections == 1


TOLD: dict[str, list[str]] = {}


async def test_a_value_too_large_is_refused_before_it_is_sent(face):
    async with face.connect() as client:
        with pytest.raises(kv.TooLarge) as caught:
            await client.set("a", b"x" * (1 << 26))
        assert caught.value.details["limit"] == 1 << 26
        assert client.statistics().open_calls == 0
        assert client.statistics().connections == 1
        assert await client.set("a", b"x" * (1 << 20))
        assert len(await client.get("a")) == 1 << 20
