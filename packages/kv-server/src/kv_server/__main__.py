"""`python -m kv_server`: the same as `kv-server`."""

from kv_server.app.cli import main

if __name__ == "__main__":
    main()
