"""Reads and effects by what they are about; `kv_server.engine.tx` puts them together."""
