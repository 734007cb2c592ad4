"""What other modules may call of the native wire."""

from libc.stdint cimport int64_t

cpdef enum:
    CHUNK = 65_536


cpdef int64_t elapsed_ns() except -1
cpdef list ready(epoll, int fd, double wait_s=*)
cpdef bytes receive(sock, int fd)
cpdef Py_ssize_t send(sock, int fd, data) except -1
