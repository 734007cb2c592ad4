"""A result that is not there yet: what the calls of a batch return."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kv_client._core.call import DONE, Call

__all__ = ["Pending"]

T_co = TypeVar("T_co", covariant=True)


class Pending(Generic[T_co]):
    """The result of one call of a batch, to be had once the batch was sent and answered."""

    __slots__ = ("_call", "_decode")

    def __init__(self, call: Call, decode: Callable[[Any], T_co]) -> None:
        self._call = call
        self._decode = decode

    @property
    def done(self) -> bool:
        """Whether `result` has something to tell."""
        return self._call.state == DONE

    def result(self) -> T_co:
        """Return the result, or raise the error of this call."""
        call = self._call
        if call.state != DONE:
            raise RuntimeError(f"{call.word} has no result yet: it is sent at the end of its block")
        if call.error is not None:
            raise call.error
        return self._decode(call.body)

    def __repr__(self) -> str:
        return f"<Pending {self._call.word} {'done' if self.done else 'not sent'}>"
