# cython: language_level=3
"""What Python's garbage collector need not look at, taken off its lists."""

__all__ = ["spare", "spare_all"]


def spare(thing):
    """Spare the collector *thing*, which is in no cycle: it is freed with whoever holds it.

    A dict is to be spared again when an object was put into it that the collector could know.
    """
    untrack(thing)


def spare_all(things):
    """The same for each of *things*."""
    for thing in things:
        untrack(thing)
