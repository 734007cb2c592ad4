"""Lines such as `SET {key} {value} [NX|XX] <[GET] [EX {seconds}|KEEPTTL]>` as generators of calls.

`{name}` draws from the vocabulary, `[...]` may be left out, `(a|b)` chooses, `<...>` shuffles what it holds; `item...`
repeats what is before it. Whatever is chosen is chosen by one function, `choose(n)`, which returns one of 0..n-1 with
the simplest first: hypothesis stands behind it in the tests, plain dice in the survey.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from tests.redis.client import Words
from tests.redis.vocabulary import JUNK

Choose = Callable[[int], int]
Draw = Callable[[Choose], list[bytes]]
Vocabulary = Mapping[str, Sequence[bytes]]

CONTAINERS = frozenset(
    b"ACL CLIENT CLUSTER COMMAND CONFIG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG XGROUP "
    b"XINFO".split()
)
TOKENS = re.compile(r"\{\w+\}|\.\.\.|[\[\]()<>|]|[^\s\[\]()<>|{}]+")


def name_of(words: Words | Sequence[bytes]) -> str:
    """The command that *words* call, as COMMAND LIST spells it: `lpush`, `object|encoding`."""
    if not words:
        return ""
    first = words[0].upper()
    if first in CONTAINERS and len(words) > 1:
        first += b"|" + words[1].upper()
    return first.decode("utf-8", "backslashreplace").lower()


class Template:
    """One line of the language, compiled; draws the words of a call."""

    def __init__(self, line: str, vocabulary: Vocabulary) -> None:
        self.line = line
        self.name = name_of([token.encode() for token in line.split()[:2]])
        tokens = TOKENS.findall(line)
        self._draw = _alternatives(tokens, vocabulary, "")
        assert not tokens, f"{line!r} closes what it did not open: {tokens}"

    def draw(self, choose: Choose) -> Words:
        return tuple(self._draw(choose))


def _alternatives(tokens: list[str], vocabulary: Vocabulary, end: str) -> Draw:
    """What stands up to *end*, as one of the sequences between its bars."""
    choices = [_sequence(tokens, vocabulary, end)]
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        choices.append(_sequence(tokens, vocabulary, end))
    if end:
        assert tokens and tokens.pop(0) == end, f"{end} is missing"
    return choices[0] if len(choices) == 1 else functools.partial(_draw_one, choices)


def _sequence(tokens: list[str], vocabulary: Vocabulary, end: str) -> Draw:
    parts = _parts(tokens, vocabulary, end)
    return parts[0] if len(parts) == 1 else functools.partial(_draw_all, parts)


def _parts(tokens: list[str], vocabulary: Vocabulary, end: str) -> list[Draw]:
    parts: list[Draw] = []
    while tokens and tokens[0] != "|" and tokens[0] != end:
        token = tokens.pop(0)
        if token == "[":
            parts.append(functools.partial(_draw_perhaps, _alternatives(tokens, vocabulary, "]")))
        elif token == "(":
            parts.append(_alternatives(tokens, vocabulary, ")"))
        elif token == "<":
            parts.append(functools.partial(_draw_shuffled, _parts(tokens, vocabulary, ">")))
            assert tokens.pop(0) == ">"
        elif token == "...":
            parts.append(functools.partial(_draw_more, parts[-1]))
        elif token.startswith("{"):
            parts.append(functools.partial(_draw_word, vocabulary[token[1:-1]]))
        else:
            parts.append(functools.partial(_draw_literal, token.encode()))
    return parts


def _draw_literal(word: bytes, choose: Choose) -> list[bytes]:
    return [word]


def _draw_word(words: Sequence[bytes], choose: Choose) -> list[bytes]:
    return [words[choose(len(words))]]


def _draw_all(parts: list[Draw], choose: Choose) -> list[bytes]:
    return [word for part in parts for word in part(choose)]


def _draw_one(choices: list[Draw], choose: Choose) -> list[bytes]:
    return choices[choose(len(choices))](choose)


def _draw_perhaps(part: Draw, choose: Choose) -> list[bytes]:
    return part(choose) if choose(3) == 2 else []


def _draw_more(part: Draw, choose: Choose) -> list[bytes]:
    return [word for _ in range((0, 0, 1, 2)[choose(4)]) for word in part(choose)]


def _draw_shuffled(parts: list[Draw], choose: Choose) -> list[bytes]:
    left = list(parts)
    words: list[bytes] = []
    while left:
        words += left.pop(choose(len(left)))(choose)
    return words


def spoilt(words: Words, choose: Choose) -> Words:
    """*words* with one mistake, or with one word in another case."""
    at = choose(len(words))
    left, word, right = words[:at], words[at], words[at + 1 :]
    how = choose(6)
    if how == 0:
        return (*left, word.lower(), *right)
    if how == 1:
        return (*left, word.swapcase(), *right)
    if how == 2 and at:
        return left + right
    if how == 3:
        return (*words, JUNK[choose(len(JUNK))])
    if how == 4 and at:
        return (*left, JUNK[choose(len(JUNK))], *right)
    return (*left, word, word, *right) if at else words
