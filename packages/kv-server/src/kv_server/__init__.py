"""The kv server: a typed in-memory store behind sockets. `app` wires it, `engine` is what it does, `commands` is what it says."""

__version__ = "0.1.0"
