from kv_server.engine.effects.patterns cimport PatternReads


cdef class KeyEffects(PatternReads):
    pass
