"""The shell `kv`: commands from a command line or at a prompt, and tools that look at a server."""
