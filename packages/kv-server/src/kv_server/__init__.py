"""The kv server: a typed in-memory store behind sockets. `app` wires it, `engine` runs it, `commands` are its words."""

__version__ = "0.1.0"
