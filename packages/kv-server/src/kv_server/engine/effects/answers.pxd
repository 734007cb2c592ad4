from kv_server.engine.effects.locks cimport LockEffects


cdef class AnswerEffects(LockEffects):
    pass
