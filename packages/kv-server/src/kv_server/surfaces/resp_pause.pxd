"""How a door that can pause is laid out where it is compiled."""


cdef class Pausing:
    cdef public object engine, commands, whole, ticks
    cdef object _pause
