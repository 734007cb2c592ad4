from kv_server.model.account cimport Account


cdef class Namespace(Account):
    cdef public object cache, store, terms
    cdef public bytes name
    cdef public dict locks
    cdef public list tables
    cdef public long long lock_bytes, evicted
