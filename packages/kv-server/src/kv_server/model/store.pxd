cimport cython

from kv_server.model.account cimport Account
from kv_server.model.space cimport Namespace
from kv_server.model.table cimport Table


cdef class Store(Account):
    cdef public int shards, shift
    cdef public bytes seed
    cdef public dict namespaces
    cdef public long long callers, elapsed_ms
    cdef public object rules, habits, due, leases
    cdef public list turning, garbage
    cdef public Table empty
    cdef public bint frozen
    @cython.locals(table=Table)
    cpdef Table table(self, Namespace namespace, int shard)
    @cython.locals(first=cython.longlong)
    cpdef object schedule(self, Namespace namespace, Table table)
    cpdef object discard(self, entry)
