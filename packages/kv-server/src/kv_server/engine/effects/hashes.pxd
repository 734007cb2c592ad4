from kv_server.engine.effects.keys cimport KeyEffects


cdef class HashEffects(KeyEffects):
    cpdef object hash_of(self, bytes key)
    cpdef bytes hash_get(self, bytes key, bytes field)
    cpdef Py_ssize_t hash_len(self, bytes key) except -1
    cpdef hash_put(self, bytes key, bytes field, bytes blob)
    cpdef hash_drop(self, bytes key, bytes field)
