from kv_server.engine.effects.namespaces cimport NamespaceEffects


cdef class SetEffects(NamespaceEffects):
    cpdef object set_at(self, bytes key)
    cpdef Py_ssize_t set_len(self, bytes key) except -1
    cpdef bint set_has(self, bytes key, bytes member) except -1
    cpdef set_add(self, bytes key, members)
    cpdef set_remove(self, bytes key, members)
