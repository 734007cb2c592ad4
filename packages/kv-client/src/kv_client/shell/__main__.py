"""`python -m kv_client.shell` is `kv`."""

import sys

from kv_client.shell._program import main

sys.exit(main())
