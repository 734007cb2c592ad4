"""A result that is not there yet: what the calls of a batch return."""

from typing import TYPE_CHECKING, Generic, TypeVar

from kv_client._core import gathering

__all__ = ["Pending"]

T_co = TypeVar("T_co", covariant=True)

if TYPE_CHECKING:

    class Pending(gathering.Pending, Generic[T_co]):
        """What it is to a type checker: a class of classes, which the compiled one cannot be."""

        def result(self) -> T_co: ...

else:
    Pending = gathering.Pending
