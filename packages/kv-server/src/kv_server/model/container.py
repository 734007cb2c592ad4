"""What every collection must be able to do, and the table of them by kind."""

from __future__ import annotations

from typing import Any, Final, Protocol, Self, TypeAlias

from kv_server.model.steps import Steps

__all__ = ["CONTAINERS", "Container", "Memory", "Piece"]


class Memory(Protocol):
    """What lies in memory that Python knows nothing of."""

    def __len__(self) -> int:
        """How many elements are left of it."""

    def free(self, count: int) -> int:
        """Free about *count* elements, and return how many that were."""


Piece: TypeAlias = "list[Any] | dict[Any, Any] | Memory"


class Container(Protocol):
    """The elements of a collection. Only effects change it; commands never hold one."""

    @property
    def bytes(self) -> int:
        """What the elements are accounted for: what changes them keeps this, and returns by how much it changed."""

    def __len__(self) -> int:
        """How many elements there are."""

    def copy(self) -> Self:
        """The same, to be changed apart."""

    def pieces(self) -> list[Piece]:
        """Everything it is made of, to be emptied piece by piece; it is used no more."""

    def dump(self) -> Any:
        """All of it as lists, ints, floats and bytes, so that `load` makes an equal one."""

    @classmethod
    def load(cls, dumped: Any) -> Self:
        """The container that was dumped. Raises `ValueError` where a name comes twice."""

    @classmethod
    def loading(cls, dumped: Any) -> Steps[Self]:
        """The same in steps; `load` takes less time in all."""


CONTAINERS: Final[dict[int, type[Container]]] = {}
"""By kind of entry; each type adds itself where its module is imported by its effects."""
