"""What every async face is made of, whatever runs its tasks. `_sync` is written from this folder: see tools/."""
