"""Channels: messages to whoever listens at that moment. They are not kept: who is not there has missed them."""

from __future__ import annotations

from typing import Annotated, Any

from kv_protocol.errors import InvalidArgument
from kv_protocol.types import Message
from kv_server.engine.conversation import Hearing, Place
from kv_server.engine.engine import PARKED, Caller
from kv_server.engine.pubsub import Index, shared
from kv_server.engine.session import Session
from kv_server.engine.tx import Tx
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, LISTENS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, STREAMS, WRITE
from kv_server.spec.resp_kinds import SILENCE, Push, Replies
from kv_server.spec.types import NATIVE, OPTIONAL, Channel, ChannelPattern, Name, Pattern, Size, Value


@command(WRITE | FAST, group="pubsub", since="0.1", cost="O(listeners + patterns)")
def publish(tx: Tx, channel: Channel, message: Value, /) -> int:
    """Send *message* to all who listen to *channel* now, at most once, and return how many those are.

    >>> await client.publish("news", {"title": "nobody listens yet"})
    0
    >>> async with client.subscribe("news") as messages:
    ...     await client.publish("news", "hello")
    ...     async for message in messages:
    ...         print(message)
    ...         break
    1
    Message(channel='news', value='hello', pattern=None)
    """
    return send(tx, channel, message, False)


@command(WRITE | FAST, group="pubsub", since="0.1", cost="O(listeners)", doors=RESP_DOOR, method=None)
def spublish(tx: Tx, channel: Channel, message: Value, /) -> int:
    """Send *message* to all who listen to the shard *channel*, and return how many those are."""
    return send(tx, channel, message, True)


@command(READ | STREAMS, group="pubsub", since="0.1", cost="O(channels)", doors=NATIVE_DOOR, method=None)
def subscribe(
    session: Caller,
    /,
    *channels: Annotated[Channel, OPTIONAL],
    pattern: Annotated[ChannelPattern | None, NATIVE] = None,
    credit: Annotated[Size, NATIVE] = 0,
) -> None:
    """Tell every message to *channels*, and to all channels that fit *pattern*, from now on, as events of this call.

    *credit* is how many events may be sent before more is granted.
    """
    if not channels and pattern is None:
        raise InvalidArgument("subscribe to at least one channel, or to a pattern")
    listener = session.listen(tuple(dict.fromkeys(channels)), pattern, credit)
    listener.tell(Message("open", None, None, None))
    return PARKED  # type: ignore[return-value]


# ---- the words of the text door
@command(
    READ | LISTENS, group="pubsub", since="0.1", cost="O(channels)", name="SUBSCRIBE", doors=RESP_DOOR, method=None
)
def subscribe_on_resp(session: Caller, /, *channels: Channel) -> Replies:
    """Listen to *channels* from now on."""
    hearing = own(session)
    return begin(session, "subscribe", hearing.channels, session.engine.channels.connections, channels)


@command(READ | LISTENS, group="pubsub", since="0.1", cost="O(patterns)", doors=RESP_DOOR, method=None)
def psubscribe(session: Caller, /, *patterns: ChannelPattern) -> Replies:
    """Listen to all channels that fit one of *patterns* from now on."""
    hearing = own(session)
    return begin(session, "psubscribe", hearing.patterns, session.engine.channels.patterns, patterns)


@command(READ | LISTENS, group="pubsub", since="0.1", cost="O(channels)", doors=RESP_DOOR, method=None)
def ssubscribe(session: Caller, /, *channels: Channel) -> Replies:
    """Listen to the shard *channels* from now on; within a transaction that is not allowed."""
    if session.engine.tx.within:
        raise InvalidArgument("SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    hearing = own(session)
    return begin(session, "ssubscribe", hearing.shards, session.engine.channels.shards, channels)


@command(READ | LISTENS, group="pubsub", since="0.1", cost="O(channels)", doors=RESP_DOOR, method=None)
def unsubscribe(session: Caller, /, *channels: Annotated[Name, OPTIONAL]) -> Replies:
    """Listen to *channels* no more; to none, if none are named."""
    hearing = own(session)
    return stop(session, "unsubscribe", hearing.channels, session.engine.channels.connections, channels)


@command(READ | LISTENS, group="pubsub", since="0.1", cost="O(patterns)", doors=RESP_DOOR, method=None)
def punsubscribe(session: Caller, /, *patterns: Annotated[Pattern, OPTIONAL]) -> Replies:
    """Listen to channels that fit *patterns* no more; to no pattern, if none are named."""
    hearing = own(session)
    return stop(session, "punsubscribe", hearing.patterns, session.engine.channels.patterns, patterns)


@command(READ | LISTENS, group="pubsub", since="0.1", cost="O(channels)", doors=RESP_DOOR, method=None)
def sunsubscribe(session: Caller, /, *channels: Annotated[Name, OPTIONAL]) -> Replies:
    """Listen to the shard *channels* no more; to none, if none are named."""
    hearing = own(session)
    return stop(session, "sunsubscribe", hearing.shards, session.engine.channels.shards, channels)


# ---- who listens to what
@command(
    READ | SLOW, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB CHANNELS", doors=NATIVE_DOOR,
    method="channels",
)  # fmt: skip
def pubsub_channels(session: Caller, pattern: Pattern | None = None, /) -> list[Name]:
    """Return the channels of the namespace that anybody listens to by name, or those that fit *pattern*."""
    return fitting(session.engine.channels.active(session.engine.tx.name), pattern)


@command(
    READ, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB NUMSUB", doors=NATIVE_DOOR, method="listeners"
)
def pubsub_numsub(session: Caller, /, *channels: Channel) -> list[int]:
    """Return how many listen to each of *channels* by its name."""
    active = session.engine.channels.active(session.engine.tx.name)
    return [active.get(channel, 0) for channel in channels]


@command(
    READ | SLOW, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB CHANNELS", doors=RESP_DOOR, method=None
)
def pubsub_channels_on_resp(session: Caller, pattern: Pattern | None = None, /) -> list[Name]:
    """Return the channels that anybody listens to by name, or those that fit *pattern*."""
    return fitting(session.engine.channels.active_on_resp(session.engine.tx.name), pattern)


@command(READ, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB NUMSUB", doors=RESP_DOOR, method=None)
def pubsub_numsub_on_resp(session: Caller, /, *channels: Annotated[Channel, OPTIONAL]) -> list[Any]:
    """Return each of *channels* with how many listen to it by its name."""
    active = session.engine.channels.active_on_resp(session.engine.tx.name)
    return [part for channel in channels for part in (channel, active.get(channel, 0))]


@command(READ, group="pubsub", since="0.1", cost="O(1)", name="PUBSUB NUMPAT", doors=RESP_DOOR, method=None)
def pubsub_numpat(session: Caller, /) -> int:
    """Return how many different patterns are listened to."""
    channels, home = session.engine.channels, shared(session.engine.tx.name)
    native = {name for space, names in channels.by_pattern.spaces.items() if shared(space) == home for name in names}
    return len(native | channels.patterns.of(home).keys())


@command(
    READ | SLOW, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB SHARDCHANNELS", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def pubsub_shardchannels(session: Caller, pattern: Pattern | None = None, /) -> list[Name]:
    """Return the shard channels that anybody listens to, or those that fit *pattern*."""
    return fitting(session.engine.channels.shards.of(shared(session.engine.tx.name)), pattern)


@command(READ, group="pubsub", since="0.1", cost="O(channels)", name="PUBSUB SHARDNUMSUB", doors=RESP_DOOR, method=None)
def pubsub_shardnumsub(session: Caller, /, *channels: Annotated[Channel, OPTIONAL]) -> list[Any]:
    """Return each of the shard *channels* with how many listen to it."""
    active = session.engine.channels.shards.of(shared(session.engine.tx.name))
    return [part for channel in channels for part in (channel, len(active.get(channel, ())))]


def send(tx: Tx, channel: bytes, message: bytes, sharded: bool) -> int:
    """Write the row of a message that somebody will hear; how many will."""
    audience = tx.audience(channel, sharded)
    if audience:
        tx.message(channel, message, sharded)
    return audience


def own(session: Caller) -> Hearing:
    """What this connection listens to, begun if it is nothing."""
    caller = session.session
    if caller.hearing is None:
        caller.hearing = Hearing()
    return caller.hearing


def begin(
    session: Caller, kind: str, places: dict[Place, None], index: Index[Session], names: tuple[bytes, ...]
) -> Replies:
    """Listen to more *names*; the word on each."""
    space, channels = shared(session.engine.tx.name), session.engine.channels
    said = Replies()
    for name in names:
        if (space, name) not in places:
            places[space, name] = None
            channels.add(index, space, name, session.session)
        said.append(Push([kind, name, count(session, places)]))
    session.regate()
    return say(session, said)


def stop(
    session: Caller, kind: str, places: dict[Place, None], index: Index[Session], names: tuple[bytes, ...]
) -> Replies:
    """Listen to some *names* no more, or to none; the word on each."""
    space, channels = shared(session.engine.tx.name), session.engine.channels
    said = Replies()
    for place in [(space, name) for name in names] or list(places):
        if place in places:
            del places[place]
            channels.remove(index, *place, session.session)
        said.append(Push([kind, place[1], count(session, places)]))
    if not said:
        said.append(Push([kind, None, count(session, places)]))
    session.regate()
    return say(session, said)


def say(session: Caller, said: Replies) -> Replies:
    """Say it as what answers no call, which is said also to those who want no replies; or as part of others."""
    if session.engine.tx.within:
        return said
    for word in said:
        session.line.push(*word)
    return SILENCE


def count(session: Caller, places: dict[Place, None]) -> int:
    """How many a connection listens to: shard channels are counted by themselves."""
    hearing = own(session)
    return len(places) if places is hearing.shards else len(hearing.channels) + len(hearing.patterns)


def fitting(active: dict[bytes, Any], pattern: bytes | None) -> list[bytes]:
    return [channel for channel in active if pattern is None or matches(pattern, channel)]
