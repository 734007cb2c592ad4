"""How what runs calls swiftly is laid out."""

from libc.stdint cimport int64_t, uint64_t

from kv_server.commands.calls cimport MOST_VALUE, Call
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.tx cimport Tx
from kv_server.model.entry cimport Entry
from kv_server.model.table cimport Table

cdef struct Answer:
    const char* octets
    size_t size
    int64_t number


cdef class Swift:
    cdef Executor engine
    cdef Tx tx
    cdef Observation observation
    cdef object opened, served
    cdef list commands
    cdef readonly size_t calls, taken
    cdef int may  # the calls that the gates let through, a bit each
    cdef bint writes
    cdef char* out
    cdef size_t size, room
    cdef char[MOST_VALUE + 8] scratch
    cdef bint ready(self, Session session) except -1
    cdef bint fresh(self, Session session, Call* call) except -1
    cdef int see_gates(self, Session session) except -1
    cdef int run(self, Session session, Call* call, Answer* answer) except -1
    cdef int get(self, Entry entry, Answer* answer) except -1
    cdef int set(self, Session session, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1
    cdef int incr(self, Session session, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1
    cdef int put(self, Table table, Entry entry, uint64_t code, Call* call, const char* blob, size_t size) except -1
    cdef int drop(self, Session session, Table table, Entry entry, Call* call, Answer* answer) except -1
    cdef int commit(self, Session session, opcode, Call* call, const char* blob, size_t size, int64_t expires_ms, reply) except -1
    cdef char* need(self, size_t more) except NULL
    cdef bytes go(self, Session session, bytes data, int protocol)
    cdef bint say(self, int kind, Answer* answer, int protocol) except -1
    cdef bint tell(self, int kind, Call* call, Answer* answer) except -1
    cpdef bytes text(self, Session session, bytes data, int protocol)
    cpdef bytes native(self, Session session, bytes data)
