"""How what runs plain command lines is laid out."""

from kv_server.commands.swift cimport Swift
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.ticks cimport Ticks
from kv_server.engine.tx cimport Tx
from kv_server.spec.gate cimport Hot

cdef enum:
    MOST_WORDS = 64
    MOST_KINDS = 8


cdef struct Word:
    const char* at
    size_t size


cdef class Lane:
    cdef readonly object command
    cdef bytes word
    cdef Hot hot
    cdef object function, project, shape
    cdef int[MOST_KINDS] kinds  # of the words that every line has
    cdef int[MOST_KINDS] rest  # of those that follow, again and again
    cdef size_t fixed, again
    cdef bint fits(self, size_t count) noexcept
    cdef tuple arguments(self, Tx tx, Word* words, size_t count)


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
    cdef char* out
    cdef size_t size, room
    cdef Word[MOST_WORDS] words
    cdef Lane find(self, bytes word)
    cdef object run(self, Session session, Lane lane, size_t count)
    cdef bint say(self, reply, int protocol) except -1
    cdef char* need(self, size_t more) except NULL
    cdef bytes lines(self, Session session, bytes data, int protocol, Ticks ticks)
    cpdef bytes text(self, Session session, bytes data, int protocol, Ticks ticks)
