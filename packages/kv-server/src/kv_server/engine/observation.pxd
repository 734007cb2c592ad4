"""How what was seen of calls is laid out."""


cdef class Observation:
    cdef public object engine, timer, slow, warn, samples, longest, counted, note, errors, codes
    cdef public dict monitors
    cdef public list noted
    cdef public object monitor_bytes, slower_than_us, threshold_ms, stuck_ms, tracking
    cdef public double least_s
    cdef object _hot, _numbers, _unshown
    cpdef ran(self, session, command, calls, double spent_s, revision)
