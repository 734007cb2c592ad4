"""What the pools of all async faces are. `_sync` is written from this folder: see tools/."""
