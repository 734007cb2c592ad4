from kv_server.engine.session cimport Session
from kv_server.engine.tx cimport Tx
from kv_server.model.store cimport Store


cdef class Executor:
    cdef public Store store
    cdef public Tx tx
    cdef public object most_parked, open, served, refusal, careful, watchers, watched, channels, notifications, history
    cdef public object node, due, journal
    cdef public list sinks
    cdef public long long now_ms, elapsed_ms, calls, hits, misses
    cdef public bint writable, _serving
    cpdef object execute(
        self, Session session, request_id, command, args, options, dict meta
    )
