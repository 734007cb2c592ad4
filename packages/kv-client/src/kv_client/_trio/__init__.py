"""The trio face, whose names are those of `kv_client` itself."""
