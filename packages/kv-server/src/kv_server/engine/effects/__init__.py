"""Reads and effects by what they are about, one room on top of the other; `kv_server.engine.tx` is the roof."""
