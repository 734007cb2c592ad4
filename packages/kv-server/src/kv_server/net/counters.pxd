"""How the counters are laid out where they are compiled."""


cdef class Counters:
    cdef public long long accepted, refused, overflowed, timed_out, not_secured, accept_pauses
    cdef public long long bytes_received, bytes_sent
    cdef public long long spoke, speaking
    cpdef pass_ms(self, long long passed_ms)
