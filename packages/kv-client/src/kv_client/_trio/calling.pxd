from kv_client._core.call cimport Call
from kv_client._core.calls cimport Calls

import cython

cdef int DONE, WAITS
cdef double inf
cdef Py_ssize_t PORTION

@cython.locals(deadline=double, own=double)
cpdef double ambient(task) except? -1

cdef class ParkedCall(Call):
    cdef public object link
    cdef public object task
    cdef public object raise_cancel

    cpdef wake(self)


cdef class Caller:
    cdef object _link
    cdef Calls _calls
    cdef object _pump
    cdef double _timeout
    cdef object _token
    cdef object _clock
    cdef public object park

    @cython.locals(calls=Calls, call=ParkedCall, end=double)
    cpdef call(self, word, args, options, int kind, fence=*, namespace=*, limit=*)
