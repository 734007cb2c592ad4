"""The log, snapshots and recovery: what is written, when it counts as kept, and how it is read back.

Knows bytes and order, not files: a `Disk` does what is asked of it.
"""
