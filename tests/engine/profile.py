"""How many examples a property is tried with: a CI run's worth, or KV_TEST_EXAMPLES times as many."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import Phase

AS_FOUND: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""For laws over all commands, whose examples are small and whose stages dear: what fails is shown as it was found."""

FACTOR: Final = float(os.environ.get("KV_TEST_EXAMPLES", "1"))


def examples(count: int) -> int:
    """*count* examples in a CI run, more where more were asked for."""
    return max(1, int(count * FACTOR))
