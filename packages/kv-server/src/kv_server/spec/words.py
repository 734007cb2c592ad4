"""A cursor over the words of one command line, for the few commands whose text form is written by hand."""

from collections.abc import Sequence

from kv_server.spec.checks import syntax_error

__all__ = ["Words"]


class Words:
    """Reads word after word; whoever binds the command checks at the end that none is left."""

    def __init__(self, words: Sequence[bytes], start: int, command: str) -> None:
        self._words = words
        self._at = start
        self.command = command
        """The command's word as Redis writes it in errors."""

    @property
    def left(self) -> int:
        return len(self._words) - self._at

    def take(self) -> bytes:
        """The next word."""
        if not self.left:
            raise syntax_error()
        word = self._words[self._at]
        self._at += 1
        return word

    def peek(self) -> bytes | None:
        """The next word in upper case, left where it is; None at the end."""
        return self._words[self._at].upper() if self.left else None

    def token(self, *tokens: str) -> str | None:
        """The one of *tokens* that comes next, taken; None if none does."""
        word = self.peek()
        for token in tokens:
            if word == token.encode():
                self._at += 1
                return token
        return None

    def rest(self) -> list[bytes]:
        """All words that are left, taken."""
        words = list(self._words[self._at :])
        self._at = len(self._words)
        return words

    def finish(self) -> None:
        """Refuse words that nobody took."""
        if self.left:
            raise syntax_error()
