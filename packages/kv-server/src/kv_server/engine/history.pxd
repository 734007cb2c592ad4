"""How the history is laid out where it is compiled."""

cimport cython

from kv_server.engine.past cimport Changes, Runs
from kv_server.engine.session cimport Session

cdef int _EXPIRY


cdef class History:
    cdef public bint on
    cdef public long long since_ms
    cdef public Runs runs
    cdef public Changes kept
    cdef dict _traces, _parted
    @cython.locals(first=tuple, kept=Changes)
    cpdef hear(
        self, long long revision, long long now_ms, bytes namespace, Session session, list effects, list authors, whole,
        dict gone,
    )
