"""Searches for all differences rather than the first: `python -m tests.redis.survey --seconds 10 --to findings.md`.

For whoever works on the server. Draws by plain dice, tells differences apart by command and kind of reply, and shortens
an example of each. `--family NAME` narrows it, `--seed N` draws otherwise, `--peer redis` compares Redis with itself.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from pathlib import Path

from tests.redis.contest import Contest, Finding
from tests.redis.families import FAMILIES
from tests.redis.family import Family, draw_steps
from tests.redis.servers import kv_server, redis_server
from tests.redis.shorten import kind_of, shortened

EXAMPLES_MAX = 40  # of one family
PATIENCE_S = 2.0  # a hang is told quickly, for it is looked at again and again


class Survey:
    """What was found so far, by family and class."""

    def __init__(self, contest: Contest, seed: int) -> None:
        self.contest = contest
        self.dice = random.Random(seed)
        self.found: dict[str, dict[str, Finding]] = {}
        self.asked: dict[str, int] = {}
        self.missing: dict[str, list[str]] = {}

    def explore(self, family: Family, seconds: float) -> None:
        """Draw sequences of *family* for *seconds*."""
        makers = self.contest.makers(family)
        known = self.found.setdefault(family.name, {})
        self.asked[family.name] = 0
        allowed = self.contest.served | self.contest.allows(self.contest.served)
        self.missing[family.name] = sorted((family.names() & self.contest.known) - allowed)
        end = time.monotonic() + seconds
        while makers and time.monotonic() < end and len(known) < EXAMPLES_MAX:
            steps = draw_steps(makers, self.dice.randrange)
            protocol = self.dice.choice((2, 3))
            self.asked[family.name] += len(steps)
            finding = self.contest.check(family, steps, protocol)
            if finding is not None and not any(kind_of(finding) in each for each in self.found.values()):
                known[kind_of(finding)] = shortened(self.contest, family, finding)

    def report(self) -> str:
        """All of it as a page."""
        parts = []
        for family in FAMILIES:
            if family.name not in self.found:
                continue
            found = self.found[family.name]
            lines = [f"## {family.name}: {len(found)} kinds of difference in {self.asked[family.name]} calls"]
            if self.missing[family.name]:
                lines.append("not served: " + ", ".join(self.missing[family.name]))
            for number, finding in enumerate(found.values(), 1):
                steps = "\n".join(f"    {step}" for step in finding.steps)
                lines.append(f"{number}. RESP{finding.protocol}\n{steps}\n    # {finding.reason}")
            parts.append("\n".join(lines))
        by_kind = {re.sub(r"(?<![A-Za-z])[-+]?\d[\d.,e+-]*", "N", said): said for said in self.contest.spoken}
        spoken = [f"- {said}   (`{self.contest.spoken[said]}`)" for said in sorted(by_kind.values())]
        if spoken:
            parts.append(
                "## Errors that differ in words alone (same prefix, no client depends on them)\n" + "\n".join(spoken)
            )
        return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Search for differences between kv and Redis.")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each family")
    parser.add_argument("--family", action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--peer", choices=("kv", "redis"), default="kv")
    parser.add_argument("--to", type=Path, help="write the page there instead of printing it")
    options = parser.parse_args()
    peer = kv_server if options.peer == "kv" else redis_server
    with redis_server() as redis, peer() as kv:
        survey = Survey(Contest(redis, kv, PATIENCE_S), options.seed)
        for family in FAMILIES:
            if options.family is None or family.name in options.family:
                survey.explore(family, options.seconds)
        page = f"Seed {options.seed}.\n\n{survey.report()}"
    if options.to is None:
        print(page)
    else:
        options.to.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
