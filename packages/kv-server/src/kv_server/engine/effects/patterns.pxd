from kv_server.engine.ground cimport Ground


cdef class PatternReads(Ground):
    pass
