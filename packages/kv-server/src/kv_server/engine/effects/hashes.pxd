from kv_server.engine.effects.keys cimport KeyEffects


cdef class HashEffects(KeyEffects):
    pass
