"""How a peer is laid out where it is compiled."""

from kv_server.surfaces.surface cimport Surface


cdef class Peer:
    cdef public object socket, address, refusal, certified, rest, ends_ms
    cdef public Surface surface
    cdef public int fd, wants
    cdef public long long once
    cdef public bint dirty, unread, sealed, left, half_closed, gone
    cdef public long long opened_ms, active_ms, begun_ms, begun_calls
