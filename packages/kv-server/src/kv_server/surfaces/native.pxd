"""How connections of kv's own protocol are laid out where they are compiled."""

cimport cython


cdef class NativeConnection:
    cdef object _door, _encoder, _wake, _lost, _reader, _greeting
    cdef readonly object _owed
    cdef set _open
    cdef list _waiting, _out
    cdef Py_ssize_t _told
    cdef public Py_ssize_t calls, held
    cdef public bint stalled, closing, overflowed
    cdef public object address, certified, session

    @cython.locals(held=Py_ssize_t, done=Py_ssize_t, since=Py_ssize_t, now=double, before=double, began=double,
                   until=double, least_s=double)
    cpdef _run(self, list bodies)
    cpdef _rest(self, list bodies, Py_ssize_t done)
