"""What both sides of kv share: values, names, errors, limits, frames and messages. Pure Python, no I/O."""
