from kv_server.model.scored cimport Few


cdef class SortedSet:
    cdef Few few
