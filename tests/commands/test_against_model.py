"""Every data command in any order against the plain model: replies, errors, versions, expiry, locks, waits, blocks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kv_protocol.errors import KvError
from kv_protocol.messages import NAMESPACE
from kv_protocol.values import encode
from kv_server.commands import CATALOG
from kv_server.engine import engine as engine_module
from kv_server.engine.engine import PARKED
from kv_server.spec.command import ADMIN, SWEEPS, Door
from tests.commands.answers import Call, same
from tests.commands.calls import CALLS, keys
from tests.commands.calls import namespaces as spaces
from tests.commands.plain import Fails
from tests.commands.world import LINGER, PARKS, Said, World
from tests.engine.profile import examples
from tests.engine.rig import Client, Rig, kept_answers, picture, readable, recount, replayed, wire_form

OFTEN = {"SET": 4, "MSET": 2, "GETSET": 2, "INCR": 2, "EXPIRE": 2, "EXPIREAT": 2, "LOCK": 3, "UNLOCK": 2}
STEPS_OF_TIME = [0, 1, 4, 5, 19, 20, 99, 100, 1_000, LINGER - 1, LINGER, LINGER + 1]
IN_BLOCKS = sorted(word for word in CALLS if not CATALOG[word].flags & ADMIN)
callers = st.sampled_from(range(3))
Step = tuple[str, tuple[tuple[Any, ...], dict[str, Any]]]


class AgainstModel(RuleBasedStateMachine):
    """Three clients of one engine, whose transactions are strict and whose expiry runs one key at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(strict=True)
        self.world = World()
        self.clients = [self.rig.connect(name) for name in ("ann", "bob", "")]
        self.connected = [True] * len(self.clients)
        self.gone_at: dict[int, int] = {}
        self.highest = 0
        for client in self.clients:
            self.world.owners[client.session.id] = client.session.owner

    @initialize(prefilled=st.lists(st.tuples(keys, st.sampled_from([None, 5, 20])), max_size=6))
    def some_keys(self, prefilled: list[tuple[bytes, int | None]]) -> None:
        for key, ttl in prefilled:
            self.step("SET", 0, b"0", ((key, 0), {} if ttl is None else {"ttl": ttl}))

    # ---- one call
    def step(self, word: str, who: int, space: bytes, call: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        client = self.client(who)
        asked = Call(self.begin(), client.session.id, self.rig.last_id + 1, space)
        args, options = self.resolved(asked, *call)
        before = len(self.rig.commits)
        expected, failure = self.expect(asked, word, args, options)
        try:
            actual = client.send(word, args, options, {NAMESPACE: space})
        except KvError as error:
            assert failure is not None, f"{word}{args}{options} failed with {error.code}: {error}"
            self.compare_errors(failure, error)
        else:
            assert failure is None, f"{word}{args}{options} answered {actual!r}, not {failure.code if failure else ''}"
            if expected is PARKS:
                assert actual is PARKED
            else:
                assert same(expected, actual), f"{word}{args}{options}: {actual!r}, not {expected!r}"
        if not CATALOG[word].flags & SWEEPS:
            served = sum(said.kind == "deliver" for said in self.world.said)
            assert len(self.rig.commits) - before == int(self.world.changed and expected is not PARKS) + served
        self.compare_what_was_said()

    def begin(self) -> World:
        self.world.changed = False
        self.world.said.clear()
        self.world.revision = self.rig.engine.revision + 1
        return self.world

    def client(self, who: int) -> Client:
        """A client that has its connection, again if need be."""
        if not self.connected[who]:
            self.reconnect(who)
        return self.clients[who]

    @staticmethod
    def resolved(asked: Call, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        key = args[0] if args else None
        plain = tuple(asked.resolve(arg, key) for arg in args)
        return plain, {name: asked.resolve(arg, key) for name, arg in options.items()}

    @staticmethod
    def expect(asked: Call, word: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Fails | None]:
        try:
            return asked.answer(word, args, {name: arg for name, arg in options.items() if arg is not None}), None
        except Fails as failure:
            return None, failure

    @staticmethod
    def compare_errors(expected: Fails, error: KvError) -> None:
        assert error.code == expected.code, f"{error.code}: {error}"
        details = dict(error.details)
        if error.code == "CONDITION" and details["current"] is not None:
            form = CATALOG["GETENTRY"].reply.part

            details["current"] = readable(form, details["current"])
        for name, fact in expected.details.items():
            assert same(fact, details[name]), f"{name}: {details[name]!r}, not {fact!r}"

    def compare_what_was_said(self) -> None:
        """Every client must have heard what concerns it, and nothing else."""
        heard = []
        for client in self.clients:
            for kind, about, *more in client.outbox.heard:
                if kind == "fail":
                    heard.append(Said(client.session.id, kind, about, more[0].code))
                elif kind == "deliver":
                    token, lease = more[0]
                    places = {held.token: (p, held) for p, holds in self.world.held.items() for held in holds}
                    place, held = places[token]
                    assert lease == held.until - self.world.elapsed
                    heard.append(Said(client.session.id, kind, about, place))
                else:
                    space, lock, token, why = more[0]
                    place = tuple(name.encode("utf-8", "surrogateescape") for name in (space, lock))
                    heard.append(Said(client.session.id, kind, place, (token, why)))
            client.outbox.heard.clear()
        listening = {client.session.id for client, there in zip(self.clients, self.connected, strict=True) if there}
        expected = [said for said in self.world.said if said.session in listening]
        assert sorted(heard, key=repr) == sorted(expected, key=repr)
        self.world.said.clear()

    # ---- blocks
    @rule(
        who=callers,
        space=spaces,
        steps=st.lists(st.sampled_from(IN_BLOCKS).flatmap(lambda w: CALLS[w].map(lambda c: (w, c))), max_size=5),
    )
    def block(self, who: int, space: bytes, steps: list[Step]) -> None:
        """All of the calls in one commit, or none of them and everything as it was."""
        client = self.client(who)
        if any(CATALOG[word].flags & SWEEPS for word, _ in steps):
            client.call("DBSIZE")  # expiry is no part of the block
        world = self.begin()
        saved = copy.deepcopy(world)
        world.postponed = []
        calls, expected, failure = [], [], None
        for word, call in steps:
            asked = Call(world, client.session.id, 0, space)
            args, options = self.resolved(asked, *call)
            command = self.rig.guarded(CATALOG[word])
            calls.append((command, *wire_form(CATALOG[word], args, options)))
            if failure is None:
                answer, failure = self.expect(asked, word, args, options)
                failure = Fails("LOCK_HELD") if answer is PARKS else failure
                expected.append(answer)
        pictured, before = picture(self.rig.store), len(self.rig.commits)
        try:
            replies = self.rig.engine.block(client.session, calls, space)
        except KvError as error:
            assert failure is not None, f"{steps} failed with {error.code}: {error}"
            assert error.code == failure.code
            assert picture(self.rig.store) == pictured
            assert len(self.rig.commits) == before
            self.world = saved
        else:
            assert failure is None, f"{steps}: {replies}"

            actual = [readable(CATALOG[word].reply, reply) for (word, _), reply in zip(steps, replies, strict=True)]
            assert all(map(same, expected, actual)), f"{steps}: {actual!r}, not {expected!r}"
            postponed, world.postponed = world.postponed, None
            for place in postponed:
                world.serve(place)
        self.compare_what_was_said()

    # ---- time and connections
    @rule(ms=st.sampled_from(STEPS_OF_TIME), whole=st.booleans())
    def time_passes(self, ms: int, whole: bool) -> None:
        self.begin()
        self.world.revision -= 1
        if whole:
            self.rig.settle(ms)
        else:
            self.rig.advance(ms)
        self.world.advance(ms)
        self.compare_what_was_said()

    @rule(before=st.booleans())
    def the_next_deadline_comes(self, before: bool) -> None:
        ends = [
            record.expires - self.world.now
            for s in self.world.spaces.values()
            for record in s.records.values()
            if record.expires
        ]
        ends += [held.until - self.world.elapsed for holds in self.world.held.values() for held in holds]
        due = min((end for end in ends if end > 0), default=1)
        self.time_passes(due - before, False)

    @rule(who=callers)
    def a_connection_is_lost(self, who: int) -> None:
        if self.connected[who]:
            client = self.clients[who]
            self.begin()
            self.world.revision -= 1
            client.detach()
            self.connected[who] = False
            self.gone_at[who] = self.world.elapsed
            self.world.leaving[client.session.id] = self.world.elapsed + LINGER, self.rig.last_id
            self.world.withdraw(lambda call: call.session == client.session.id)
            self.compare_what_was_said()

    def reconnect(self, who: int) -> None:
        old = self.clients[who]
        self.world.leaving.pop(old.session.id, None)
        new = self.rig.connect(old.session.client, secret=old.session.secret)
        assert new.resumed == (self.world.elapsed - self.gone_at[who] < LINGER)
        assert (new.session is old.session) == new.resumed
        self.clients[who] = new
        self.connected[who] = True
        self.world.owners[new.session.id] = new.session.owner

    @rule(who=callers, back=st.integers(0, 5))
    def a_call_is_cancelled(self, who: int, back: int) -> None:
        client = self.client(who)
        request_id = self.rig.last_id - back
        own = client.session.id
        self.begin()
        self.world.revision -= 1
        found = self.world.withdraw(lambda call: call.request_id == request_id and call.session == own)
        assert client.cancel(request_id) == found
        if found:
            self.world.said.append(Said(own, "fail", request_id, "CANCELLED"))
        self.compare_what_was_said()

    # ---- whole walks
    @rule(who=callers, space=spaces, count=st.sampled_from([1, 2, 3, 10]))
    def a_scan_meets_every_key_once(self, who: int, space: bytes, count: int) -> None:
        client = self.client(who)
        met: list[str] = []
        cursor = -1
        while cursor:
            cursor, page = client.send("SCAN", [max(cursor, 0)], {"count": count}, {NAMESPACE: space})
            met += page
        expected = {key.decode("utf-8", "surrogateescape") for key in self.world.space(space).names()}
        assert sorted(met) == sorted(expected)

    # ---- always
    @invariant()
    def every_key_is_as_the_model_says(self) -> None:
        """Looks into the store itself: a call would change what the next one finds prepared."""
        now = self.world.now
        for space, (entries, _) in picture(self.rig.store).items():
            model = self.world.space(space)
            found = {key: entry[1:] for key, entry in entries.items() if not 0 < entry[3] <= now}
            records = {key: model.records[key] for key in model.names()}
            assert found == {key: (encode(r.value), r.version, r.expires or 0) for key, r in records.items()}, space
        assert set(self.rig.store.namespaces) == set(self.world.spaces)

    @invariant()
    def revisions_grow(self) -> None:
        revisions = [commit.revision for commit in self.rig.commits]
        assert all(later > earlier for earlier, later in zip(revisions, revisions[1:], strict=False))
        assert not revisions or revisions[-1] <= self.rig.engine.revision

    @invariant()
    def accounts_are_right(self) -> None:
        recount(self.rig.store)

    def teardown(self) -> None:
        tx, rows = replayed(self.rig.commits, self.rig.engine)
        assert picture(tx.store) == picture(self.rig.store)
        assert rows == [commit.effects for commit in self.rig.commits]
        assert kept_answers(tx.sessions) == kept_answers(self.rig.engine.sessions)
        recount(tx.store)


def _rule_of(word: str) -> Any:
    def calls(self: AgainstModel, who: int, space: bytes, call: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        self.step(word, who, space, call)

    calls.__name__ = "call_" + word.lower().replace(" ", "_")
    return rule(who=callers, space=spaces, call=CALLS[word])(calls)


for _word in CALLS:
    for _turn in range(OFTEN.get(_word, 1)):
        setattr(AgainstModel, f"call_{_word.lower().replace(' ', '_')}_{_turn}", _rule_of(_word))


@pytest.fixture(autouse=True)
def _one_key_a_slice() -> Iterator[None]:
    """Expiry that runs one key at a time leaves keys about that are past their deadline: nobody may see them."""
    with mock.patch.object(engine_module, "_EXPIRED_PER_SLICE", 1):
        yield


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(
    max_examples=examples(200),
    stateful_step_count=40,
    report_multiple_bugs=False,
    phases=set(Phase) - {Phase.explain},
)


def test_every_data_command_has_a_rule() -> None:
    """Collections have models of their own, and what only the text door has is the same data in other words."""
    rooms = {f"kv_server.commands.{room}" for room in ("strings", "counters", "keys", "namespaces", "locks")}
    data = [c for c in CATALOG if c.function.__module__ in rooms and Door.NATIVE in c.declaration.doors]
    assert {command.name for command in data} == set(CALLS)
