"""The client without I/O: addresses, calls, sessions, deadlines, leases. No trio, no awaits; time is an argument."""
