from kv_server.engine.effects.streams cimport StreamEffects


cdef class Tx(StreamEffects):
    pass
