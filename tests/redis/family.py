"""A family: the commands of one kind, as lines to draw sequences from. Lines that kv does not serve are left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from tests.redis.client import Words
from tests.redis.steps import Call, Move, Pick, Scan, Settle
from tests.redis.templates import Choose, Template, Vocabulary, name_of, spoilt
from tests.redis.vocabulary import WORDS

LONGEST = 24  # steps of one sequence
SPOILT = 14  # one call in so many carries a mistake

MakeStep = Callable[[Choose], Call]
Source = tuple[frozenset[str], MakeStep]

RANDOM = frozenset({"srandmember", "hrandfield", "zrandmember", "spop"})
ENORMOUS = re.compile(rb"-\d{5,}")


class Family(NamedTuple):
    """Lines of one kind of command: `3* GET {key}` comes three times as often, `0> GET {key}` on connection 0 alone."""

    name: str
    lines: str
    vocabulary: Vocabulary = WORDS
    composed: tuple[Source, ...] = ()
    prelude: tuple[str, ...] = ()
    """What the first connection calls before every sequence."""
    connections: int = 1
    spoils: bool = True

    def names(self) -> frozenset[str]:
        """Every command that the lines call."""
        plain = {Template(line, self.vocabulary).name for _, _, line in _weighed(self.lines)}
        return frozenset(plain).union(*(names for names, _ in self.composed))

    def sources(self, served: Collection[str]) -> list[MakeStep]:
        """What makes the steps for a server that has the commands *served*; nothing if it has none of this family's."""
        found: list[MakeStep] = []
        for weight, on, line in _weighed(self.lines):
            template = Template(line, self.vocabulary)
            if template.name in served:
                found += [self._maker(template, on)] * weight
        for names, make in self.composed:
            if names <= set(served):
                found.append(make)
        return found

    def start(self, served: Collection[str]) -> list[Call]:
        """The prelude, as far as it is served."""
        calls = [Call(tuple(line.encode().split())) for line in self.prelude]
        return [call for call in calls if name_of(call.words) in served]

    def _maker(self, template: Template, always_on: int | None) -> MakeStep:
        several = self.connections > 1

        def make(choose: Choose) -> Call:
            on = always_on
            if on is None:
                on = choose(self.connections) if several else 0
            words = template.draw(choose)
            if self.spoils and choose(SPOILT) == SPOILT - 1:
                words = spoilt(words, choose)
            if template.name in RANDOM and any(map(ENORMOUS.match, words)):
                words = (words[0], b"absent")
            return Settle(words, on) if several else Call(words)

        return make


LINE = re.compile(r"(?:(\d+)\* )?(?:(\d)> )?(.*)")


def _weighed(lines: str) -> list[tuple[int, int | None, str]]:
    """Weight, connection if it is always the same one, and template of each line."""
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        match = LINE.fullmatch(line)
        assert match is not None
        weight, on, rest = match.groups()
        found.append((int(weight or 1), int(on) if on else None, rest))
    return found


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
