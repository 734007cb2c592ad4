from kv_server.engine.effects.namespaces cimport NamespaceEffects


cdef class SetEffects(NamespaceEffects):
    pass
