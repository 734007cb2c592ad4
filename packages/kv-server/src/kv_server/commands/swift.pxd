"""How what runs calls swiftly is laid out."""

from libc.stdint cimport int64_t, uint64_t

from kv_server.commands.answers cimport Answer
from kv_server.commands.calls cimport MOST_VALUE, Call
from kv_server.engine.executor cimport Executor
from kv_server.engine.observation cimport Observation
from kv_server.engine.session cimport Session
from kv_server.engine.tx cimport Tx
from kv_server.engine.watchers cimport Watchers
from kv_server.model.ahead cimport WINDOW, Sought
from kv_server.model.entry cimport Entry
from kv_server.model.growing cimport Growing
from kv_server.model.table cimport Table

cdef struct Read:
    Call call
    const char* following


cdef class Swift:
    cdef Executor engine
    cdef Tx tx
    cdef Observation observation
    cdef Watchers watchers
    cdef object opened, served
    cdef list commands, figures
    cdef readonly size_t calls
    cdef readonly Py_ssize_t taken
    cdef int may  # the calls that the gates let through, a bit each
    cdef bint writes
    cdef Growing out
    cdef char[MOST_VALUE + 8] scratch
    cdef Read[WINDOW] ahead
    cdef Sought[WINDOW] sought
    cdef int lately  # what was called last
    cdef int writer  # what was called that made the revisions from *written* on, and is not told yet
    cdef long long written
    cdef object caller
    cdef Session keeper  # the session of the caller, if it is one that keeps answers
    cdef bint ready(self, Session session) except -1
    cdef bint fresh(self, Session session, Call* call) except -1
    cdef int see_gates(self, Session session) except -1
    cdef int ran(self, int what, size_t calls, double spent_s) except -1
    cdef int wrote(self, Session session, int what, long long revision) except -1
    cdef int forget(self, Session session, int64_t seen) except -1
    cdef size_t read(self, const char* at, const char* end, int protocol) except? 0
    cdef int run(self, Session session, Call* call, Sought* sought, Answer* answer) except -1
    cdef int get(self, Entry entry, Answer* answer) except -1
    cdef int set(self, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1
    cdef int incr(self, Table table, Entry entry, uint64_t code, Call* call, Answer* answer) except -1
    cdef int put(self, Table table, Entry entry, uint64_t code, Call* call, const char* blob, size_t size) except -1
    cdef int drop(self, Session session, Table table, Entry entry, Call* call, Answer* answer) except -1
    cdef int commit(self, Call* call, const char* blob, size_t size, int64_t expires_ms, Answer* answer) except -1
    cdef object keep(self, Call* call, Answer* answer)
    cdef bytes go(self, Session session, bytes data, int protocol)
    cdef bint say(self, int kind, Call* call, Answer* answer, int protocol) except -1
    cpdef bytes text(self, Session session, bytes data, int protocol)
    cpdef bytes native(self, Session session, bytes data)
