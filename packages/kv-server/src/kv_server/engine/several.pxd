"""How what runs several calls as one is laid out where it is compiled."""

from kv_server.engine.executor cimport Executor


cdef class Several(Executor):
    pass
