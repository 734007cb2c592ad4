# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Seconds from anywhere: the native twin of the plain module."""

from libc.stdint cimport uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from time import perf_counter

__all__ = ["Ticks"]

cdef extern from *:
    """
    /* What the processor counts by itself, about as fast as it works; elsewhere every look finds much more of it. */
    #if defined(__GNUC__) && defined(__x86_64__)
    #define ticks_counted() __builtin_ia32_rdtsc()
    #else
    static uint64_t ticks_counted(void) { static uint64_t looks; return looks += 1 << 20; }
    #endif
    """
    uint64_t counted "ticks_counted"() noexcept

cdef enum:
    FEW = 1 << 16  # counts that pass in some tens of microseconds


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
        self.counted = counted()
        self.lately = <double>time.tv_sec + <double>time.tv_nsec * 1e-9
        return self.lately

    cpdef double roughly(self) except? -1:
        """The same, or what it was some tens of microseconds ago."""
        return self.lately if self.own and counted() - self.counted < FEW else self.read()
