"""Sockets, readiness, the loop, time: the only floor besides `app` that awaits."""
