"""How connections of the text door are laid out where they are compiled."""

cimport cython

from kv_server.commands.swift cimport Swift
from kv_server.surfaces.resp_requests cimport RequestReader


cdef class RespConnection:
    cdef object _door, _wake, _lost, _call, _encode
    cdef readonly object _work
    cdef RequestReader _reader
    cdef Swift _swift
    cdef list _waiting, _rest, _out
    cdef Py_ssize_t _rest_size, _told
    cdef public Py_ssize_t strange, calls, held
    cdef public int protocol, silent
    cdef public bint lengthy, stalled, closing, overflowed
    cdef public object address, certified, command, library, session

    @cython.locals(held=Py_ssize_t, done=Py_ssize_t, since=Py_ssize_t, now=double, before=double, began=double,
                   until=double, least_s=double, words=list)
    cpdef _run(self, list lines, double spent_s=*)
    cpdef _settle(self, list lines, Py_ssize_t done)
    cpdef _read(self, bytes data)
    cpdef bytes _hurry(self, bytes data)
