cdef class Group:
    cdef public Py_ssize_t awaited
    cdef public object waiter

    cpdef answered(self)


cdef class Call:
    cdef public Group group
    cdef public object word
    cdef public object args
    cdef public object options
    cdef public object namespace
    cdef public object fence
    cdef public object frame
    cdef public object trace
    cdef public object error
    cdef public object body
    cdef public double deadline
    cdef public double latest
    cdef public long long id
    cdef public long long order
    cdef public long long seq
    cdef public Py_ssize_t size
    cdef public int kind
    cdef public int state
    cdef public int strikes
    cdef public int ending
    cdef public bint repeated

    cpdef wake(self)
    cdef ask(
        self, object word, object args, object options, int kind, object namespace, object fence, double deadline,
        double latest
    )
