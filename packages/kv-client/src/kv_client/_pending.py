"""A result that is not there yet: what the calls of a batch return."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kv_client._core.call import DONE, Call

__all__ = ["Pending"]

T_co = TypeVar("T_co", covariant=True)


class Pending(Call, Generic[T_co]):
    """The result of one call of a batch, to be had once the batch was sent and answered."""

    __slots__ = ("decode",)

    decode: Callable[[Any], T_co]

    @property
    def done(self) -> bool:
        """Whether `result` has something to tell."""
        return self.state == DONE

    def result(self) -> T_co:
        """Return the result, or raise the error of this call."""
        if self.state != DONE:
            raise RuntimeError(f"{self.word} has no result yet: it is sent at the end of its block")
        if self.error is not None:
            raise self.error
        return self.decode(self.body)

    def __repr__(self) -> str:
        return f"<Pending {self.word} {'done' if self.done else 'not sent'}>"
