import cython

from kv_client._core.call cimport Call, Group

cdef int DONE, WAITS
cdef double inf


cdef class Pending(Call):
    cdef public object decode


cdef class Gathering:
    cdef public list calls
    cdef public Group group
    cdef public object namespace
    cdef public int kinds
    cdef public bint open

    @cython.locals(call=Pending)
    cpdef add(self, word, args, options, int kind, decode, fence=*)
