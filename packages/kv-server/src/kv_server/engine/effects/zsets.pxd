from kv_server.engine.effects.sets cimport SetEffects


cdef class ZsetEffects(SetEffects):
    pass
