"""Transactions, gates, commits, watchers, sessions and expiry: synchronous, deterministic, free of I/O."""
