from kv_server.engine.effects.answers cimport AnswerEffects


cdef class NamespaceEffects(AnswerEffects):
    pass
