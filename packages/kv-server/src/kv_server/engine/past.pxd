"""How what is remembered of runs and changes is laid out."""

cimport cython

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

cdef struct Run:
    int64_t first
    int64_t end
    int64_t now_ms
    int64_t session
    PyObject* command

cdef struct Change:
    int64_t revision
    int64_t now_ms
    int64_t session
    int64_t version
    PyObject* things[5]  # namespace, key, what, command, other: None where there is none


cdef class Past:
    cdef readonly Py_ssize_t most, end
    cdef Py_ssize_t next, room  # of the places in the ring
    cdef char* ring


@cython.final
cdef class Runs(Past):
    cpdef add(self, int64_t first, int64_t end, int64_t now_ms, int64_t session, str command)


@cython.final
cdef class Changes(Past):
    cpdef add(
        self, int64_t revision, int64_t now_ms, bytes namespace, bytes key, str what, str command, session, tuple other,
        int64_t version,
    )
