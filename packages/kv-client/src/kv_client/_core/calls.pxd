import cython

from kv_client._core.call cimport Call
from kv_client._core.clock cimport ServerClock
from kv_client._core.writes cimport Writes

cdef int CHANGES, DONE, NOTE, OK, QUEUED, SENT, WAITS
cdef double inf
cdef long long MAX_ID
cdef Py_ssize_t HEAD


cdef class Calls:
    cdef public dict open
    cdef public list outgoing
    cdef public bint sending
    cdef public Py_ssize_t waiting
    cdef public Py_ssize_t size
    cdef public Py_ssize_t sent
    cdef public Call late
    cdef public double now
    cdef public ServerClock clock
    cdef public Writes writes
    cdef public Py_ssize_t max_frame
    cdef public object tracing
    cdef object _frame
    cdef long long _order

    @cython.locals(order="long long")
    cpdef start(self, Call call)
    @cython.locals(call=Call)
    cpdef start_all(self, calls, double deadline, double latest)
    cpdef drop(self, Call call)
    @cython.locals(call=Call, calls=list, frames=list)
    cpdef data_to_send(self)
    @cython.locals(call=Call, calls=dict, end=Py_ssize_t, status=int)
    cpdef Py_ssize_t settle(self, list replies, Py_ssize_t place) except -1
    @cython.locals(latest=double, seq="long long")
    cdef _pack(self, Call call, bint tell_seen)
