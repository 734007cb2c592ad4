from kv_server.engine.effects.sets cimport SetEffects


cdef class ZsetEffects(SetEffects):
    cpdef object zset_at(self, bytes key)
    cpdef Py_ssize_t zset_len(self, bytes key) except -1
    cpdef object zset_score(self, bytes key, bytes member)
    cpdef zset_put(self, bytes key, pairs)
    cpdef zset_drop(self, bytes key, members)
