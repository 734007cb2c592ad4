cimport cython


cdef class LargeList:
    cdef public list cells
    cdef public Py_ssize_t head
    cdef public long long bytes

    @cython.locals(count=Py_ssize_t, room=Py_ssize_t, start=Py_ssize_t)
    cpdef push(self, bint left, blobs)

    @cython.locals(size=Py_ssize_t, head=Py_ssize_t, taken=list)
    cpdef pop(self, bint left, Py_ssize_t count)


cpdef long long weight(blobs)
