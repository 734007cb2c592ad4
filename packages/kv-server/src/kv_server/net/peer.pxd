"""How a peer is laid out where it is compiled."""


cdef class Peer:
    cdef public object socket, address, refusal, certified, surface, rest, ends_ms
    cdef public int fd, wants
    cdef public bint sealed, left, half_closed
    cdef public long long opened_ms, active_ms, begun_ms, begun_calls
