# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What is asked of the system round by round: the native twin of the plain module.

A socket of the system's own is asked by its descriptor, which must not block: so the lock of the interpreter is kept.
What stands where a socket would is asked as ever. Errors are those that sockets raise.
"""

cimport cython

import socket
import time

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from libc.stdint cimport int64_t
from posix.time cimport clock_gettime, timespec

__all__ = ["CHUNK", "Events", "elapsed_ns", "receive", "send"]

cdef extern from *:
    """
    #ifdef __linux__
    #include <errno.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <sys/socket.h>
    #include <unistd.h>
    /* Not by way of the functions of libc: there a thread could be cancelled, which each call makes ready for. */
    static ssize_t receive_now(int fd, void *octets, size_t size) {
        return (ssize_t)syscall(SYS_recvfrom, fd, octets, size, MSG_DONTWAIT, NULL, NULL);
    }
    static ssize_t send_now(int fd, const void *octets, size_t size) {
        return (ssize_t)syscall(SYS_sendto, fd, octets, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    }
    /* Where the system cannot wait for less than a millisecond, it does not wait at all. */
    static int epoll_soon(int epoll, struct epoll_event *events, int most, long wait_ns) {
    #if defined(SYS_epoll_pwait2) && defined(__LP64__)
        struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
        int count = (int)syscall(SYS_epoll_pwait2, epoll, events, most, &wait, NULL, 0);
        if (count >= 0) return count;
        if (errno == EINTR) return 0;
        if (errno != ENOSYS && errno != EPERM) return count;
    #endif
        return epoll_wait(epoll, events, most, 0);
    }
    #else
    #include <sys/socket.h>
    static ssize_t receive_now(int fd, void *octets, size_t size) { return recv(fd, octets, size, MSG_DONTWAIT); }
    static ssize_t send_now(int fd, const void *octets, size_t size) { return send(fd, octets, size, MSG_DONTWAIT); }
    /* never called: nothing there is an epoll */
    static int epoll_wait(int epoll, struct epoll_event *events, int most, int wait_ms) { return 0; }
    static int epoll_soon(int epoll, struct epoll_event *events, int most, long wait_ns) { return 0; }
    #endif
    """
    ssize_t receive_now(int fd, void* octets, size_t size) noexcept
    ssize_t send_now(int fd, const void* octets, size_t size) noexcept
    int epoll_wait(int epoll, epoll_event* events, int most, int wait_ms) noexcept nogil
    int epoll_soon(int epoll, epoll_event* events, int most, long wait_ns) noexcept nogil

cdef char buffer[CHUNK]
cdef object OWN = socket.socket
cdef int ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


cpdef int64_t elapsed_ns() except -1:
    """Nanoseconds since the machine started, suspension included where the system counts it."""
    cdef timespec now
    if clock_gettime(ELAPSED, &now):
        PyErr_SetFromErrno(OSError)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


@cython.auto_pickle(False)
cdef class Events:
    """What descriptors were ready for, some of them: told one after the other, by `take`, as `fd` and `bits`. So many
    are `left`.
    """

    cpdef bint take(self) except -1:
        """Go on to the next; False if all were told."""
        if self.left == 0:
            return False
        if self.given is None:
            self.fd, self.bits = self.found[self.told].data.fd, self.found[self.told].events
        else:
            self.fd, self.bits = self.given[self.told]
        self.told += 1
        self.left -= 1
        return True

    cpdef give(self, list given):
        """Tell these from here on."""
        self.given, self.told, self.left = given, 0, len(given)

    cpdef ask(self, epoll, int fd, double wait_s=0.0):
        """Tell what *epoll*, whose own descriptor is *fd*, has ready, now or so soon."""
        cdef int count
        self.given, self.told, self.left = None, 0, 0
        if wait_s > 0.0:
            with nogil:
                count = epoll_soon(fd, self.found, MOST_EVENTS, <long>(wait_s * 1e9))
        else:
            count = epoll_wait(fd, self.found, MOST_EVENTS, 0)
        if count < 0:
            PyErr_SetFromErrno(OSError)
        self.left = count


cpdef bytes receive(sock, int fd):
    """What came over *sock*, whose descriptor is *fd*: some of it."""
    cdef ssize_t size
    if type(sock) is not OWN:
        return sock.recv(CHUNK)
    size = receive_now(fd, buffer, CHUNK)
    if size < 0:
        PyErr_SetFromErrno(OSError)
    return PyBytes_FromStringAndSize(buffer, size)


cpdef Py_ssize_t send(sock, int fd, data) except -1:
    """Send as much of *data* as goes at once; how much that was."""
    cdef ssize_t size
    if type(sock) is not OWN or type(data) is not bytes:
        return sock.send(data)
    size = send_now(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if size < 0:
        PyErr_SetFromErrno(OSError)
    return size
