"""Glob patterns as Redis has them: `*`, `?`, `[a-c]`, `[^x]`, and `\\` before a character that is meant as itself.

A pattern becomes a regular expression in which every `*` is content with the first place that fits what follows it, up
to the next: the time is at most pattern times name, whatever the pattern.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from kv_server.model.steps import Steps, parts

__all__ = ["covers", "fitting", "matcher", "matches", "seeking"]

_STAR: Final = b"*"


@lru_cache(maxsize=256)
def matcher(pattern: bytes) -> Callable[[bytes], object]:
    """What says of a name whether all of it fits *pattern*."""
    return re.compile(_source(pattern), re.DOTALL).fullmatch


def fitting(pattern: bytes, names: list[bytes]) -> list[bytes]:
    """Those of *names* that fit *pattern*: sought as lines of one text where no name, nor a class, has line breaks."""
    if pattern == _STAR:
        return names
    text = b"\n".join(names)
    if text.count(b"\n") != len(names) - 1 or b"\n" in pattern or b"[" in pattern:
        return list(filter(matcher(pattern), names))
    return re.findall(b"^%b$" % _source(pattern), text, re.MULTILINE)


def seeking(pattern: bytes, names: list[bytes]) -> Steps[list[bytes]]:
    """The same in steps."""
    found: list[bytes] = []
    for part in parts(names):
        found += fitting(pattern, list(part))
        yield
    return found


def _source(pattern: bytes) -> bytes:
    """The regular expression for *pattern*."""
    runs: list[list[bytes]] = [[]]
    for token in _tokens(pattern):
        if token == _STAR:
            runs.append([])
        else:
            runs[-1].append(token)
    first, *others = [b"".join(run) for run in runs]
    if not others:
        return first
    *between, last = others
    return first + b"".join(b"(?>.*?%b)" % run for run in between if run) + b".*" + last


def matches(pattern: bytes, name: bytes) -> bool:
    """Whether the whole of *name* fits *pattern*."""
    return matcher(pattern)(name) is not None


def covers(pattern: bytes, prefix: bytes) -> bool:
    """Whether every name that begins with *prefix* surely fits *pattern*."""
    return _tokens(pattern)[-1:] == [_STAR] and matches(pattern, prefix)


def _tokens(pattern: bytes) -> list[bytes]:
    """The pattern piece by piece: a star, or what one octet has to fit."""
    tokens: list[bytes] = []
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            tokens.append(_STAR)
        elif char == b"?":
            tokens.append(b".")
        elif char == b"[":
            chosen, at = _class(pattern, at)
            tokens.append(b"[%b]" % b"".join(b"\\x%02x" % octet for octet in sorted(chosen)) if chosen else b"(?!)")
        else:
            if char == b"\\" and at < len(pattern):
                char = pattern[at : at + 1]
                at += 1
            tokens.append(re.escape(char))
    return tokens


def _class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """The bytes that a class starting behind its `[` stands for, and where it ends."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    chosen: set[int] = set()
    while at < len(pattern) and pattern[at] != ord("]"):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            at += 1
            chosen.add(pattern[at])
            at += 1
        elif at + 2 < len(pattern) and pattern[at + 1] == ord("-"):
            low, high = sorted((pattern[at], pattern[at + 2]))
            chosen.update(range(low, high + 1))
            at += 3
        else:
            chosen.add(pattern[at])
            at += 1
    return frozenset(range(256)) - chosen if negated else frozenset(chosen), at + 1
