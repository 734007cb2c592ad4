"""What a type checker must know of the client's calls. It is read by one, never run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_type

from kv_client import (
    ABORT,
    DELETE,
    Client,
    Decision,
    Entry,
    FieldValue,
    Found,
    Gap,
    Held,
    Message,
    Pending,
    Popped,
    Position,
    Ranked,
    Scored,
    StreamEntry,
    Taken,
    Typed,
    Value,
)


async def one_or_several(client: Client, count: int) -> None:
    jobs = client.list("jobs")
    assert_type(await jobs.pop_left(), Value)
    assert_type(await jobs.pop_left(count), list[Value])
    assert_type(await jobs.wait_pop_left(wait=1), Value)
    assert_type(await jobs.find("a"), int | None)
    assert_type(await jobs.find("a", count=0), list[int])
    assert_type(await client.lpop("jobs"), Value)
    assert_type(await client.lpop("jobs", 2), list[Value])
    assert_type(await client.blpop("jobs", "more"), Popped | None)
    assert_type(await client.lmpop(["jobs"], "LEFT"), Taken | None)
    assert_type(await client.set_of("tags").pop(), str | None)
    assert_type(await client.set_of("tags").pop(2), set[str])
    assert_type(await client.set_of("tags").random(-2), list[str])
    assert_type(await client.sorted_set("board").pop_lowest(), Scored | None)
    assert_type(await client.sorted_set("board").pop_lowest(2), list[Scored])
    assert_type(await client.sorted_set("board").wait_pop_highest(), Scored | None)
    assert_type(await client.hash("user").random(), FieldValue | None)
    assert_type(await client.hash("user").random(2), list[FieldValue])


async def something_or_nothing(client: Client, unsure: bool) -> None:
    user = client.hash("user")
    missing = object()
    assert_type(await user.get("name"), Value)
    assert_type(await user.get("name", default=missing), Value | object)
    assert_type(await client.get_entry("user"), Entry[Value] | None)
    assert_type(await client.stream("log").add({"n": 1}), str)
    assert_type(await client.stream("log").add({"n": 1}, create=unsure), str | None)
    assert_type(await client.sorted_set("board").increment(1, "ann"), float)
    assert_type(await client.sorted_set("board").increment(1, "ann", if_present=True), float | None)
    assert_type(await client.sorted_set("board").rank("ann"), Ranked | None)
    assert_type(await client.geo("cities").positions("Rome"), list[Position | None])
    assert_type(await client.geo("cities").search(from_member="Rome", radius=(1, "KM")), list[Found])


async def numbers_keep_their_class(client: Client) -> None:
    assert_type(await client.incr("n"), int)
    assert_type(await client.incr("n", by=0.5), float)
    assert_type(await client.hash("cart").increment("apples"), int)
    assert_type(await client.hash("cart").increment("price", Decimal("0.1")), Decimal)


async def mappings_and_pairs(client: Client, ages: dict[str, int]) -> None:
    assert_type(await client.mset(ages), int)
    assert_type(await client.mset(("a", 1), ("b", "two"), ttl=5), int)
    assert_type(await client.hash("ages").set(ages, ("more", [1])), int)
    assert_type(await client.sorted_set("ages").add(ages), int)
    assert_type(await client.xread({"log": "0"}), dict[str, list[StreamEntry]])
    await client.sorted_set("copy").add(*await client.sorted_set("ages").range(0, -1))
    await client.hash("ages").set({1: "not a name"})  # type: ignore[dict-item]
    await client.sorted_set("ages").add({"ann": "old"})  # type: ignore[dict-item]


async def walks(client: Client) -> None:
    async for field, value in client.hash("user").scan():
        assert_type(field, str)
        assert_type(value, Value)
    async for entry in client.stream("log").follow():
        assert_type(entry, StreamEntry)
    async for scored in client.ns("shop").sorted_set("board").scan(match="a*"):
        assert_type(scored, Scored)
    assert_type([key async for key in client.keys("user:*")], list[str])


async def results_that_come_later(client: Client, held: Held) -> None:
    async with client.batch() as batch:
        assert_type(batch.list("jobs").pop_left(), Pending[Value])
        assert_type(batch.list("jobs").pop_left(2), Pending[list[Value]])
        assert_type(batch.set_of("tags").members(), Pending[set[str]])
        anything: Pending[object] = batch.hash("user").size()
    async with client.transaction() as tx:
        tx.require_lock(held)
        added = tx.stream("log").add({"n": 1}, fence=held)
        assert_type(added, Pending[str])
    assert_type(added.result(), str)
    assert anything.result()


async def messages(client: Client) -> None:
    async with client.subscribe("news") as heard:
        async for item in heard:
            assert_type(item, Message | Gap)
            if isinstance(item, Gap):
                assert_type(item.missed, int | None)
            else:
                assert_type(item.value, Value)


async def coordination(client: Client) -> None:
    assert_type(await client.rate_limit("mails", 10, per=60), Decision)
    assert_type(await client.limiter("mails", limit=10, per=60).acquire(), Decision)
    async with client.semaphore("places", 3) as place, client.lock("a", shared=True) as held, client.lease(10) as lease:
        assert_type((place, held, lease), tuple[Held, Held, Held])
        await client.set("key", 1, lease=lease, fence=held)
    async with client.lock_all("a", "b") as locks:
        assert_type(locks, dict[str, Held])
    async with client.election("leader").lead("me") as lead:
        assert_type(lead, Held)
    assert_type([lease.keys for lease in await client.leases()], list[list[str]])
    await client.set("key", 1, lease="lease")  # type: ignore[arg-type]


@dataclass
class User:
    name: str


async def typed_values(client: Client) -> None:
    users = client.typed(User, version=2)
    assert_type(users, Typed[User])
    assert_type(await users.get("ada"), User | None)
    assert_type(await users.get("ada", default=0), User | int)
    assert_type(await users.get_entry("ada"), Entry[User] | None)
    assert_type(await users.get_many("ada", "bob"), list[User | None])
    assert_type(await users.set("ada", User("Ada"), ttl=60), int)
    assert_type(await users.add("ada", User("Ada")), bool)
    assert_type(await users.update("ada", lambda user: User(user.name.title())), User | None)
    assert_type(await users.update("ada", lambda user: DELETE if user.name else ABORT), User | None)
    assert_type(users.load(users.dump(User("Ada"))), User)
    await users.set("ada", "Ada")  # type: ignore[arg-type]
