"""The kv server: a typed in-memory store behind sockets. `app` wires it, `engine` runs it, `commands` is its language."""

__version__ = "0.1.0"
