"""What other modules may call of the native wire."""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/epoll.h>
    #else
    struct epoll_event { unsigned int events; union { int fd; } data; };
    #endif
    """
    ctypedef union epoll_data:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data data

cpdef enum:
    CHUNK = 65_536

cdef enum:
    MOST_EVENTS = 1024


cdef class Events:
    cdef readonly int fd
    cdef readonly long long bits
    cdef readonly Py_ssize_t left
    cdef epoll_event[MOST_EVENTS] found
    cdef list given  # by who does not ask an epoll
    cdef Py_ssize_t told
    cpdef bint take(self) except -1
    cpdef give(self, list given)
    cpdef ask(self, epoll, int fd, double wait_s=*)


cpdef int64_t elapsed_ns() except -1
cpdef bytes receive(sock, int fd)
cpdef Py_ssize_t send(sock, int fd, data) except -1
