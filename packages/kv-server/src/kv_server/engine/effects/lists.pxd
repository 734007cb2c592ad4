from kv_server.engine.effects.hashes cimport HashEffects


cdef class ListEffects(HashEffects):
    pass
