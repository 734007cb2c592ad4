"""What clients speak: bytes in, calls to the engine, bytes out. Sans-IO: no sockets, and no clock of its own."""
