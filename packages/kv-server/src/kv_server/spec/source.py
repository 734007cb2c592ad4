"""Lines of generated Python, indented as they are opened; and the names generated code goes by."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import Factory, define, frozen

from kv_server.spec.command import Declaration, View
from kv_server.spec.signature import Param, Signature

__all__ = ["Plan", "Source"]


@define
class Source:
    """A text that grows line by line."""

    lines: list[str] = Factory(list)
    depth: int = 0

    def add(self, *lines: str) -> None:
        self.lines.extend("    " * self.depth + line if line else "" for line in lines)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Everything added inside is indented under *head*."""
        self.add(head)
        self.depth += 1
        yield
        self.depth -= 1

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@frozen(eq=False)
class Plan:
    """What the emitters know of a command. All names they make start with *ident*: one module may hold all binders."""

    ident: str
    word: str
    declaration: Declaration
    signature: Signature
    native: str

    @property
    def function(self) -> str:
        return f"{self.ident}_function"

    @property
    def command(self) -> str:
        return f"{self.ident}_command"

    @property
    def spelled(self) -> str:
        """Source of the word as Redis writes it in its errors: of several, the one that was called."""
        if self.declaration.aliases:
            return f"called(words, {self.start})"
        return repr(self.word.lower().replace(" ", "|"))

    @property
    def start(self) -> int:
        """How many words the command itself has."""
        return 1 + self.word.count(" ")

    def default(self, param: Param) -> str:
        """Source of a parameter's default."""
        if param.default is None or type(param.default) in (bool, int, bytes, str):
            return repr(param.default)
        return f"{self.ident}_default_{param.name}"

    def record(self, key: str) -> str:
        return f"{self.ident}_record_{key}"

    def choices(self, key: str) -> str:
        return f"{self.ident}_words_{key}"

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token that some view asks for, in the order declared."""
        return tuple(dict.fromkeys(token for view in self.declaration.views for token in view.tokens))

    @property
    def without(self) -> tuple[str, ...]:
        """The parameters whose absence asks for a view."""
        return tuple(view.without for view in self.declaration.views if view.without)

    @property
    def plain_view(self) -> View | None:
        """The form of a reply for which nothing was asked."""
        return next((view for view in self.declaration.views if not view.tokens and not view.without), None)
