"""Octets that are written one piece after the other: their room grows with them."""

from cpython.mem cimport PyMem_Free, PyMem_Realloc

cdef struct Growing:
    char* octets
    size_t size, room

cdef enum:
    AT_FIRST = 4_096  # octets of room


cdef inline char* need(Growing* made, size_t more) except NULL:
    """Where the next *more* octets can be written; they count when `size` says so."""
    cdef size_t room
    cdef char* octets
    if made.size + more > made.room:
        room = 2 * (made.size + more) + AT_FIRST
        octets = <char*>PyMem_Realloc(made.octets, room)
        if octets == NULL:
            raise MemoryError
        made.octets, made.room = octets, room
    return made.octets + made.size


cdef inline void let_go(Growing* made) noexcept:
    """Have none, and no room for any."""
    PyMem_Free(made.octets)
    made.octets = NULL
    made.size = made.room = 0
