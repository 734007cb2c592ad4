"""How what watches descriptors is laid out where it is compiled."""


cdef class Readiness:
    cpdef watch(self, int fd, long long wants)
    cpdef list poll(self)
    cpdef list look(self, double wait_s)


cdef class NestedEpoll(Readiness):
    cdef object _epoll
    cdef int _fd
    cdef set _watched


cdef class TaskEach(Readiness):
    cdef object _nursery, _arrived, _collected
    cdef dict _scopes, _ready
