"""What a function of the caller returned, which may be async or not."""

import inspect
from typing import Any

__all__ = ["settled"]


async def settled(result: Any) -> Any:
    """Return *result*, or what it comes to."""
    return await result if inspect.isawaitable(result) else result
