"""What is no value: said to and by the function of an update."""

from enum import Enum
from typing import Final

__all__ = ["ABORT", "DELETE", "MISSING", "Marker"]


class Marker(Enum):
    """Not a value."""

    MISSING = "there is no value"
    DELETE = "delete the key"
    ABORT = "leave it as it is"

    def __repr__(self) -> str:
        return self.name


MISSING: Final = Marker.MISSING
DELETE: Final = Marker.DELETE
ABORT: Final = Marker.ABORT
