"""How the table of connections is laid out where it is compiled."""

cimport cython

from kv_server.net.peer cimport Peer


cdef class Connections:
    cdef public object limits, counters, on_drop
    cdef public dict peers, dirty, stalled
    cdef public Py_ssize_t admitted
    cdef public long long elapsed_ms
    cdef object _readiness, _doors, _change
    cdef list _sealed

    @cython.locals(peer=Peer)
    cpdef receive(self, int fd, int bits)
    @cython.locals(peer=Peer)
    cpdef flush(self)
    cpdef wake(self, Peer peer)
    cpdef _send(self, Peer peer)
    cpdef _settle(self, Peer peer)
