import cython

from kv_client._core.call cimport Call

cdef int DONE, WAITS


cdef class Writes:
    cdef public long long next_seq
    cdef object _open
    cdef long long _told
    cdef long long _told_at

    @cython.locals(first=Call)
    cpdef seen(self)
    cpdef enter(self, Call call)
    cpdef to_tell(self, long long seq, bint now=*)
