"""The program: configuration, wiring, command line. The only floor that constructs."""
