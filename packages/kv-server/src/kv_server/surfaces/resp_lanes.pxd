"""How what runs plain command lines is laid out."""

from cpython.object cimport PyObject

from kv_server.commands.swift cimport Swift
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.tallies cimport Figures
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.model.ahead cimport WINDOW, Sought
from kv_server.model.growing cimport Growing
from kv_server.spec.gate cimport Hot
from kv_server.surfaces.resp_words cimport Word

cdef enum:
    MOST_WORDS = 64
    MOST_KINDS = 8


cdef struct Line:
    Word* words
    size_t count
    const char* following
    bint again  # its first word behind the command is that of the line before


cdef struct Given:
    PyObject* things[MOST_WORDS]  # the first is nobody's to let go
    size_t count


cdef class Lane:
    cdef readonly object command
    cdef bytes word
    cdef str name
    cdef Hot hot
    cdef Figures figures
    cdef bint fast
    cdef object function, project, shape
    cdef int[MOST_KINDS] kinds  # of the words that every line has
    cdef int[MOST_KINDS] rest  # of those that follow, again and again
    cdef size_t fixed, again
    cdef bint begins(self, Word* word) noexcept
    cdef bint fits(self, size_t count) noexcept
    cdef bint read(self, Word* words, size_t count, bytes key, Given* given) except -1


cdef class Lanes:
    cdef Executor engine
    cdef Tx tx
    cdef Observation observation
    cdef Swift swift
    cdef dict known
    cdef readonly size_t calls, taken
    cdef size_t ran, read  # the same of lines alone
    cdef double now, until  # when the last of them had run, and until when they may
    cdef readonly object long, command
    cdef Growing out
    cdef Line[WINDOW] ahead
    cdef Word[MOST_WORDS] words  # of all of them
    cdef Sought[WINDOW] sought
    cdef bytes key  # that the line before began with
    cdef Lane lately  # that was used last
    cdef Lane lane_of(self, Word* word)
    cdef int look_within(self, Word* key, size_t count) except -1
    cdef size_t look(self, Session session, const char* at, const char* end) except? 0
    cdef object run(self, Session session, Lane lane, Line* line)
    cdef int tell(self, Session session, Lane lane, long long calls, double spent_s, long long revision) except -1
    cdef bint say(self, reply, int protocol) except -1
    cdef bytes lines(self, Session session, bytes data, int protocol, Ticks ticks)
    cdef int see(self, Session session, Lane lane, Line* line, double spent_s) except -1
    cpdef bytes text(self, Session session, bytes data, int protocol, Ticks ticks)
