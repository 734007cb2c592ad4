"""What clients speak: bytes in, calls to the engine, bytes out. Sans-IO: nothing here knows a socket or a clock of its own."""
