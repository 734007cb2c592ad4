"""How many examples a property is tried with: a CI run's worth, or KV_TEST_EXAMPLES times as many."""

from __future__ import annotations

import os
from typing import Final

FACTOR: Final = float(os.environ.get("KV_TEST_EXAMPLES", "1"))


def examples(count: int) -> int:
    """*count* examples in a CI run, more where more were asked for."""
    return max(1, int(count * FACTOR))
