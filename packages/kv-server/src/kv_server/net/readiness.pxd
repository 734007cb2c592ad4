"""How what watches descriptors is laid out where it is compiled."""


cdef class NestedEpoll:
    cdef object _epoll
    cdef int _fd
    cdef set _watched
    cpdef list poll(self)
    cpdef list look(self, double wait_s)
