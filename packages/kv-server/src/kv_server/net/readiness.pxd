"""How what watches descriptors is laid out where it is compiled."""

from kv_server.net.wire cimport Events


cdef class Readiness:
    cdef readonly Events events
    cpdef watch(self, int fd, long long wants)
    cpdef poll(self)
    cpdef look(self, double wait_s)
    cpdef nap(self, double nap_s)


cdef class NestedEpoll(Readiness):
    cdef object _epoll
    cdef int _fd
    cdef set _watched


cdef class TaskEach(Readiness):
    cdef object _nursery, _arrived, _collected
    cdef dict _scopes, _ready
