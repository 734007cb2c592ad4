"""Entries, tables, namespaces and the store: plain data, changed only by the effects of `kv_server.engine.tx`."""
