"""What a command sees: reads, and one method per effect. Nothing else changes data.

An effect writes its row into `effects` and applies itself. Every change of a key passes one door, `touch`. A command
decides first and changes then: a call that raises has an empty `effects`. Replay calls the same methods with the rows
of a commit and so produces the same rows again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kv_server.engine.before import Before
from kv_server.engine.commit import Commit
from kv_server.engine.effects.streams import StreamEffects
from kv_server.engine.rows import WORDS

__all__ = ["EFFECTS", "Tx"]


class Tx(StreamEffects):
    """All reads and effects, and what makes several calls one."""

    def open_block(self) -> None:
        """From here on, keep what is changed as it was."""
        self.before = Before(self.store, self.before)
        self.within = True

    def close_block(self, *, keep: bool) -> None:
        """End the block; unless *keep*, put everything back as it was."""
        before = self.before
        assert isinstance(before, Before)
        self.before = before.outer
        self.within = False
        if not keep:
            before.put_back()
            self.effects = []
            self.notices = []
            self.last_key = self.space = None

    def replay(self, commit: Commit) -> None:
        """Apply the rows of *commit* as they were applied when it was made."""
        self.revision, self.now_ms, self.elapsed_ms = commit.revision, commit.now_ms, commit.elapsed_ms
        self.start(commit.namespace, None)
        for opcode, *arguments in commit.effects:
            EFFECTS[opcode](self, *arguments)


EFFECTS: Final[dict[int, Callable[..., Any]]] = {opcode: getattr(Tx, word.lower()) for opcode, word in WORDS.items()}
"""The methods above, by the opcode of the rows that they write."""
