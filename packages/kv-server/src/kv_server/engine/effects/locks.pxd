from kv_server.engine.effects.lists cimport ListEffects


cdef class LockEffects(ListEffects):
    pass
