"""From a long sequence with a difference in it to a short one with the same difference."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from tests.redis.contest import Contest, Finding
from tests.redis.family import Family
from tests.redis.steps import Call
from tests.redis.templates import name_of


def kind_of(finding: Finding) -> str:
    """What makes two findings the same: the command and the reason, less names and numbers."""
    reason = re.sub(r"^connection \d: ", "", finding.reason)
    reason = re.sub(r'"(\\.|[^"\\])*"', "S", reason)
    reason = re.sub(r"(?<![A-Za-z])[-+]?\d[\d.e+-]*", "N", reason)
    reason = re.sub(r"\b(S|N)(, (S|N))+", "..", reason)
    return f"{name_of(finding.words)}: {reason[:160]}"


def shortened(contest: Contest, family: Family, finding: Finding) -> Finding:
    """The same kind of difference after fewer steps of fewer words."""
    kind, best, steps = kind_of(finding), finding, list(finding.steps)

    def still(candidate: Sequence[Call]) -> bool:
        nonlocal best, steps
        again = contest.check(family, candidate, finding.protocol) if candidate else None
        if again is None or kind_of(again) != kind:
            return False
        best, steps = again, list(again.steps)
        return True

    size = max(1, len(steps) // 2)
    while size:
        at = 0
        while at < len(steps):
            at += 0 if still(steps[:at] + steps[at + size :]) else size
        size //= 2
    for at in range(len(steps)):
        for word in range(len(steps[at].words) - 1, 0, -1) if at < len(steps) else ():
            if word < len(steps[at].words):
                fewer = steps[at].words[:word] + steps[at].words[word + 1 :]
                still([*steps[:at], dataclasses.replace(steps[at], words=fewer), *steps[at + 1 :]])
    return best
