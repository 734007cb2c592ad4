"""Both builds do the same: what they say, what they write into the log, what they hold and count.

`NATIVE_BUILD` names the folder of a native build that is not in `build/native`. One script again, or many of them:
`python -m tests.builds.test_differential SEED [COUNT]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from tests.builds.builds import Twins, native_folder
from tests.builds.scripts import script_of

SEEDS = 250
LONG_S = 600.0


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    folder = native_folder()
    if folder is None:
        pytest.skip("there is no native build: dev.py makes one where there is a C compiler")
    pair = Twins(folder)
    assert pair.native.compiled and not pair.plain.compiled
    yield pair
    pair.end()


def test_both_builds_do_the_same(twins: Twins) -> None:
    for seed in range(SEEDS):
        check(twins, seed)
    assert twins.hurried > twins.calls // 20, "hardly anything ran swiftly"


@pytest.mark.long
def test_both_builds_do_the_same_for_long(twins: Twins) -> None:
    end = time.monotonic() + LONG_S
    seed = SEEDS
    while time.monotonic() < end:
        check(twins, seed)
        seed += 1


def check(twins: Twins, seed: int) -> None:
    found = twins.compare(script_of(seed))
    if found is not None:
        pytest.fail(str(twins.shortened(found)), pytrace=False)


def main(first: int, count: int) -> int:
    folder = native_folder()
    if folder is None:
        print("there is no native build")
        return 2
    twins, differing = Twins(folder), 0
    for seed in range(first, first + count):
        found = twins.compare(script_of(seed))
        if found is not None:
            differing += 1
            print(f"{twins.shortened(found)}\n", flush=True)
    print(f"{twins.calls} calls in {twins.scripts} scripts, {twins.hurried} of them swift; {differing} scripts differ")
    twins.end()
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
