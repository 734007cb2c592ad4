"""How the table of connections is laid out where it is compiled."""

cimport cython

from kv_server.net cimport wire
from kv_server.net.counters cimport Counters
from kv_server.net.peer cimport Peer
from kv_server.net.readiness cimport Readiness
from kv_server.surfaces.surface cimport Surface

cdef int READ, TROUBLE, WRITE
cdef Py_ssize_t HIGH_WATER


cdef class Connections:
    cdef public object limits, on_drop
    cdef public Counters counters
    cdef public dict peers, stalled
    cdef public list dirty
    cdef public Py_ssize_t admitted
    cdef public long long elapsed_ms
    cdef Readiness _readiness
    cdef object _doors, _change
    cdef list _sealed

    cpdef set_time(self, long long elapsed_ms)
    @cython.locals(surface=Surface, data=bytes)
    cpdef receive(self, Peer peer, int bits)
    cpdef mark(self, Peer peer)
    @cython.locals(peer=Peer, dirty=list)
    cpdef flush(self)
    cpdef wake(self, Peer peer)
    @cython.locals(peer=Peer)
    cpdef resume_one(self)
    @cython.locals(surface=Surface, sent=Py_ssize_t, told=bint)
    cpdef _send(self, Peer peer)
    @cython.locals(surface=Surface, unsent=Py_ssize_t, wants=int)
    cpdef _settle(self, Peer peer)
    cpdef _watch(self, Peer peer, int wants)
