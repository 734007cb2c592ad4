"""How connections of kv's own protocol are laid out where they are compiled."""

cimport cython

from kv_server.commands.swift cimport Swift
from kv_server.surfaces.surface cimport Surface

cdef Py_ssize_t HIGH_WATER
cdef double SLICE_S


cdef class NativeConnection(Surface):
    cdef object _door, _encoder, _wake, _lost, _reader, _greeting
    cdef readonly object _owed
    cdef Swift _swift
    cdef set _open
    cdef list _waiting, _out
    cdef Py_ssize_t _told

    cpdef receive_data(self, bytes data)
    cpdef bytes data_to_send(self)
    cpdef bytes _hurry(self, bytes data)
    @cython.locals(held=Py_ssize_t, done=Py_ssize_t, since=Py_ssize_t, now=double, before=double, began=double,
                   until=double, least_s=double)
    cpdef _run(self, list bodies)
    cpdef _rest(self, list bodies, Py_ssize_t done)
