"""What the calls of a batch return, and how a batch gathers them."""

from collections.abc import Callable
from math import inf
from types import GenericAlias
from typing import Any

from kv_client._core.call import DONE, WAITS, Call, Fencing, Group, Wire
from kv_protocol.errors import InvalidArgument

__all__ = ["Gathering", "Pending"]


class Pending(Call):
    """The result of one call of a batch, to be had once the batch was sent and answered."""

    __slots__ = ("decode",)

    decode: Callable[[Any], Any]

    def __class_getitem__(cls, result: Any) -> GenericAlias:
        return GenericAlias(cls, result)

    @property
    def done(self) -> bool:
        """Whether `result` has something to tell."""
        return self.state == DONE

    def result(self) -> Any:
        """Return the result, or raise the error of this call."""
        if self.state != DONE:
            raise RuntimeError(f"{self.word} has no result yet: it is sent at the end of its block")
        if self.error is not None:
            raise self.error
        return self.decode(self.body)

    def __repr__(self) -> str:
        return f"<Pending {self.word} {'done' if self.done else 'not sent'}>"


class Gathering:
    """The calls of one batch, in the order in which they were asked for, while it is *open*."""

    __slots__ = ("calls", "group", "kinds", "namespace", "open")

    def __init__(self, group: Group, namespace: Wire | None) -> None:
        self.calls: list[Pending] = []
        self.kinds = 0
        self.group = group
        self.namespace = namespace
        self.open = False

    def add(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        decode: Callable[[Any], Any],
        fence: Fencing | None = None,
    ) -> Any:
        """Take one more call, and return it."""
        if not self.open:
            raise RuntimeError("use a batch inside its `async with` block")
        if kind & WAITS:
            raise InvalidArgument(f"{word} may wait; it cannot be part of a batch")
        call: Pending = Pending.__new__(Pending)
        call.ask(word, args, options, kind, self.namespace, fence, inf, inf)
        call.group = self.group
        call.decode = decode
        self.kinds |= kind
        self.calls.append(call)
        return call
