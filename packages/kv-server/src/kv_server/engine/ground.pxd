cimport cython

from kv_server.engine.session cimport Session
from kv_server.model cimport sharding
from kv_server.model.entry cimport Entry
from kv_server.model.space cimport Namespace
from kv_server.model.store cimport Store
from kv_server.model.table cimport Table


cdef class Ground:
    cdef public object waiting_for, audience, afford, dice, before, work, kept, turn, max_namespaces
    cdef public Store store
    cdef public dict sessions, secrets, gone
    cdef public long long revision, now_ms, elapsed_ms
    cdef public Session session
    cdef public bytes name, last_key
    cdef public Namespace space
    cdef public list effects, notices
    cdef public long locks_granted, locks_lost
    cdef public bint urgent, within, marked
    cdef public Entry last_entry
    cdef public Table last_table
    cpdef object start(self, bytes namespace, Session session)
    @cython.locals(table=Table, entry=Entry, space=Namespace)
    cpdef Entry find(self, bytes key)
    @cython.locals(stale=Entry, entry=Entry)
    cpdef Entry touch(self, bytes key)
    @cython.locals(entry=Entry)
    cpdef object read(self, bytes key, int kind)
    @cython.locals(table=Table, entry=Entry, space=Namespace)
    cpdef object open_collection(self, bytes key, int kind)
    cpdef object close_collection(self, bytes key, container, long long grown)
    cpdef object note_gone(self, bytes key, long long version=*)
    cpdef object mark(self)
    cpdef Namespace open_namespace(self)
    cpdef Table table_of(self, Namespace space, bytes key)
    cpdef bint exists(self, bytes key) except -1
    @cython.locals(entry=Entry)
    cpdef key_drop(self, bytes key, int cause)
