# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Seconds from anywhere: the native twin of the plain module."""

from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from time import perf_counter

__all__ = ["Ticks"]


cdef class Ticks:
    """Asks *timer*; where that is the one of Python, the system."""

    def __init__(self, timer):
        cdef timespec time
        self.timer = timer
        self.own = timer is perf_counter and clock_gettime(CLOCK_MONOTONIC, &time) == 0

    cpdef double read(self) except? -1:
        cdef timespec time
        if not self.own:
            return self.timer()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return <double>time.tv_sec + <double>time.tv_nsec * 1e-9
