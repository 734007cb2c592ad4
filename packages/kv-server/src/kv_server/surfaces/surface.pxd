"""How connections are laid out, as far as the loop sees them, where they are compiled."""


cdef class Surface:
    cdef public object address, certified, session
    cdef public Py_ssize_t calls, held
    cdef public bint stalled, closing, overflowed

    cpdef receive_data(self, bytes data)
    cpdef bytes data_to_send(self)
