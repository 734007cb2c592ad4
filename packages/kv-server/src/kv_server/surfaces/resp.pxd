"""How connections of the text door are laid out where they are compiled."""

cimport cython

from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.surfaces cimport resp_frames
from kv_server.surfaces.resp_lanes cimport Lanes
from kv_server.surfaces.resp_pause cimport Pausing
from kv_server.surfaces.resp_requests cimport RequestReader
from kv_server.surfaces.surface cimport Surface

cdef Py_ssize_t HIGH_WATER
cdef double SLICE_S


cdef class RespConnection(Surface):
    cdef Pausing _door
    cdef object _wake, _lost, _call, _encode
    cdef readonly object _work
    cdef Executor _engine
    cdef RequestReader _reader
    cdef Lanes _lanes
    cdef list _waiting, _rest, _out
    cdef Py_ssize_t _rest_size, _told
    cdef public Py_ssize_t strange
    cdef public int protocol, silent
    cdef public bint lengthy
    cdef public object command, library

    @cython.locals(held=Py_ssize_t, done=Py_ssize_t, since=Py_ssize_t, now=double, before=double, began=double,
                   until=double, least_s=double, words=list, commands=dict, engine=Executor, tx=Tx,
                   session=Session, observation=Observation, out=list, ticks=Ticks, revision=object, size=Py_ssize_t)
    cpdef _run(self, list lines, double spent_s=*)
    cpdef _settle(self, list lines, Py_ssize_t done)
    cpdef receive_data(self, bytes data)
    cpdef bytes data_to_send(self)
    @cython.locals(session=Session)
    cpdef _read(self, bytes data)
    @cython.locals(lanes=Lanes)
    cpdef bytes _hurry(self, bytes data)
