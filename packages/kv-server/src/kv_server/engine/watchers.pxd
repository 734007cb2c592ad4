"""How the index of all that waits is laid out where it is compiled."""


cdef class Watchers:
    cdef public object peek, woken, turns
    cdef public dict parked, by_key, by_prefix, turn_at
    cdef public bint live
