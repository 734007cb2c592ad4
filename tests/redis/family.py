"""A family: the commands of one kind, as lines to draw sequences from. Lines that kv does not serve are left out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from tests.redis.client import Words
from tests.redis.steps import Call, Move, Pick, Scan, Settle
from tests.redis.templates import Choose, Template, Vocabulary, name_of, spoilt
from tests.redis.vocabulary import WORDS

LONGEST = 24  # steps of one sequence
SPOILT = 14  # one call in so many carries a mistake

Make = Callable[[Choose], list[Call]]
Source = tuple[frozenset[str], Callable[[Choose], Call]]

RANDOM = frozenset({"srandmember", "hrandfield", "zrandmember", "spop"})
ENORMOUS = re.compile(rb"-\d{5,}")

LIFE = """
EXPIRE {key} {seconds}
PEXPIRE {key} {millis}
PEXPIREAT {key} 1
PERSIST {key}
TTL {key}
PTTL {key}
"""
"""What every family of keys has beside its own lines."""


class Family(NamedTuple):
    """Lines of one kind of command: `3* GET {key}` comes three times as often, `0> GET {key}` on connection 0 alone,
    `= GET {key}` without mistakes in it.
    """

    name: str
    lines: str
    vocabulary: Vocabulary = WORDS
    composed: tuple[Source, ...] = ()
    prelude: tuple[str, ...] = ()
    """What the first connection calls before every sequence."""
    connections: int = 1
    spoils: bool = True
    keyed: bool = True
    """Its calls are about keys."""

    def names(self) -> frozenset[str]:
        """Every command that the lines call."""
        plain = {Template(line.text, self.vocabulary).name for line in self._lines()}
        return frozenset(plain).union(*(names for names, _ in self.composed))

    def sources(self, served: Collection[str]) -> list[Make]:
        """What makes the steps for a server that has the commands *served*; nothing if it has none of this family's."""
        plain: list[Callable[[Choose], Call]] = []
        for line in self._lines():
            template = Template(line.text, self.vocabulary)
            if template.name in served:
                plain += [self._maker(template, line)] * line.weight
        made = [*plain, *(make for names, make in self.composed if names <= set(served))]
        found: list[Make] = [functools.partial(_alone, make) for make in made]
        if plain and self.lives:
            found += [functools.partial(_queued, plain, self.vocabulary["key"])] * max(1, len(plain) // 12)
            found.append(functools.partial(_expired, self.vocabulary["key"]))
        return found

    def start(self, served: Collection[str]) -> list[Call]:
        """The prelude, as far as it is served."""
        calls = [Call(tuple(line.encode().split())) for line in self.prelude]
        return [call for call in calls if name_of(call.words) in served]

    def _lines(self) -> list[Line]:
        return _parsed(self.lines) + (_parsed(LIFE) if self.lives else [])

    @property
    def lives(self) -> bool:
        """Its keys expire, and its calls are queued in transactions."""
        return self.keyed and self.connections == 1

    def _maker(self, template: Template, line: Line) -> Callable[[Choose], Call]:
        several = self.connections > 1

        def make(choose: Choose) -> Call:
            on = line.on
            if on is None:
                on = choose(self.connections) if several else 0
            words = template.draw(choose)
            if self.spoils and not line.exact and choose(SPOILT) == SPOILT - 1:
                words = spoilt(words, choose)
            if template.name in RANDOM and any(map(ENORMOUS.match, words)):
                words = (words[0], b"absent")
            return Settle(words, on) if several else Call(words)

        return make


class Line(NamedTuple):
    """A template as *text*; how often it comes, on which connection if always on one, whether never with mistakes."""

    weight: int
    on: int | None
    exact: bool
    text: str


LINE = re.compile(r"(?:(\d+)\* )?(?:(\d)> )?(= )?(.*)")


def _parsed(lines: str) -> list[Line]:
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        match = LINE.fullmatch(line)
        assert match is not None
        weight, on, exact, text = match.groups()
        found.append(Line(int(weight or 1), int(on) if on else None, bool(exact), text))
    return found


def draw_steps(makers: Sequence[Make], choose: Choose) -> list[Call]:
    """A sequence of up to `LONGEST` steps, some of several calls."""
    return [step for _ in range(1 + choose(LONGEST)) for step in makers[choose(len(makers))](choose)]


def _alone(make: Callable[[Choose], Call], choose: Choose) -> list[Call]:
    return [make(choose)]


def _queued(plain: list[Callable[[Choose], Call]], keys: Sequence[bytes], choose: Choose) -> list[Call]:
    """A transaction, sometimes of watched keys, rarely given up."""
    first = [Call((b"WATCH", keys[choose(len(keys))]))] * (choose(4) == 3)
    calls = [plain[choose(len(plain))](choose) for _ in range(1 + choose(4))]
    last = Call((b"DISCARD" if choose(8) == 7 else b"EXEC",))
    return [*first, Call((b"MULTI",)), *calls, last]


def _expired(keys: Sequence[bytes], choose: Choose) -> list[Call]:
    """A key whose time is over when the next call comes."""
    return [Call((b"PEXPIRE", keys[choose(len(keys))], b"2")), Call((b"DEBUG", b"SLEEP", b"0.01"))]


def scan(line: str, options: str, vocabulary: Vocabulary = WORDS) -> Source:
    """A whole iteration with the calls of *line* (the cursor goes behind it) and *options*."""
    command, rest = Template(line, vocabulary), Template(options, vocabulary)
    return frozenset({command.name}), lambda choose: Scan(command.draw(choose), 0, rest.draw(choose))


def pick(listing: str, line: str, level: str = "", vocabulary: Vocabulary = WORDS) -> Source:
    """A command that answers at random; *level* makes both servers equal again. All three have the same key."""
    templates = [Template(each, vocabulary) for each in (listing, line, level) if each]

    def make(choose: Choose) -> Call:
        key = vocabulary["key"][choose(len(vocabulary["key"]))]
        first, second, *third = [_on_key(template.draw(choose), key) for template in templates]
        return Pick(second, 0, first, third[0] if third else ())

    return frozenset(template.name for template in templates), make


def _on_key(words: Words, key: bytes) -> Words:
    return (words[0], key, *words[2:])


def move(options: str, vocabulary: Vocabulary = WORDS) -> Source:
    """DUMP one key and RESTORE it at another, with *options*."""
    keys, rest = vocabulary["key"], Template(options, vocabulary)

    def make(choose: Choose) -> Call:
        source, target = keys[choose(len(keys))], keys[choose(len(keys))]
        time, *more = rest.draw(choose)
        return Move((b"DUMP", source), 0, (b"RESTORE", target, time, Move.PAYLOAD, *more))

    return frozenset({"dump", "restore"}), make


def families(*groups: Sequence[Family]) -> tuple[Family, ...]:
    """All of *groups*, no name twice."""
    found = tuple(family for group in groups for family in group)
    assert len({family.name for family in found}) == len(found)
    return found
