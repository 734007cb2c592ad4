"""Glob patterns as Redis has them: `*`, `?`, `[a-c]`, `[^x]`, and `\\` before a character that is meant as itself.

One pass with one place to fall back to (the last `*`): the time is at most pattern times name, whatever the pattern.
"""

from functools import lru_cache
from typing import Final

__all__ = ["matches"]

_ANY: Final = -1
_STAR: Final = -2


@lru_cache(maxsize=256)
def _compile(pattern: bytes) -> tuple[int | frozenset[int], ...]:
    """The pattern as tokens: a byte, a set of bytes, any byte, or any run."""
    tokens: list[int | frozenset[int]] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == ord("*"):
            if not tokens or tokens[-1] != _STAR:
                tokens.append(_STAR)
        elif char == ord("?"):
            tokens.append(_ANY)
        elif char == ord("["):
            chosen, at = _class(pattern, at)
            tokens.append(chosen)
        else:
            if char == ord("\\") and at < len(pattern):
                char = pattern[at]
                at += 1
            tokens.append(char)
    return tuple(tokens)


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


def matches(pattern: bytes, name: bytes) -> bool:
    """Whether the whole of *name* fits *pattern*."""
    tokens = _compile(pattern)
    at = token = 0
    star, resume = -1, 0
    while at < len(name):
        wanted = tokens[token] if token < len(tokens) else None
        if wanted == _STAR:
            star, resume = token, at
            token += 1
        elif wanted == _ANY or wanted == name[at] or (type(wanted) is frozenset and name[at] in wanted):
            at += 1
            token += 1
        elif star >= 0:
            resume += 1
            at, token = resume, star + 1
        else:
            return False
    return all(left == _STAR for left in tokens[token:])
