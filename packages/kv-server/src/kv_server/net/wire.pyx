# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What is asked of the system for a connection that is ready: the native twin of the plain module.

A socket of the system's own is asked by its descriptor, which must not block: so the lock of the interpreter is kept.
What stands where a socket would is asked as ever. Errors are those that sockets raise.
"""

import socket

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno

__all__ = ["receive", "send"]

cdef extern from "<sys/socket.h>":
    int MSG_DONTWAIT
    ssize_t system_recv "recv"(int fd, void* buffer, size_t size, int flags)
    ssize_t system_send "send"(int fd, const void* buffer, size_t size, int flags)

cdef enum:
    CHUNK = 64 * 1024

cdef char buffer[CHUNK]
cdef object OWN = socket.socket


cpdef bytes receive(sock, int fd):
    """What came over *sock*, whose descriptor is *fd*: some of it."""
    cdef ssize_t size
    if type(sock) is not OWN:
        return sock.recv(CHUNK)
    size = system_recv(fd, buffer, CHUNK, MSG_DONTWAIT)
    if size < 0:
        PyErr_SetFromErrno(OSError)
    return PyBytes_FromStringAndSize(buffer, size)


cpdef Py_ssize_t send(sock, int fd, data) except -1:
    """Send as much of *data* as goes at once; how much that was."""
    cdef ssize_t size
    if type(sock) is not OWN or type(data) is not bytes:
        return sock.send(data)
    size = system_send(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT)
    if size < 0:
        PyErr_SetFromErrno(OSError)
    return size
