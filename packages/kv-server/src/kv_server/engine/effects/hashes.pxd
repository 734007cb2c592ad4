cimport cython

from kv_server.engine.effects.keys cimport KeyEffects
from kv_server.model.hash cimport Hash, drop, get, has, put


cdef class HashEffects(KeyEffects):
    cpdef object hash_of(self, bytes key)
    @cython.locals(fields=Hash)
    cpdef bytes hash_get(self, bytes key, bytes field)
    @cython.locals(fields=Hash)
    cpdef bint hash_has(self, bytes key, bytes field) except -1
    @cython.locals(fields=Hash)
    cpdef Py_ssize_t hash_len(self, bytes key) except -1
    @cython.locals(fields=Hash, before=Py_ssize_t)
    cpdef bint hash_put(self, bytes key, bytes field, bytes blob) except -1
    @cython.locals(fields=Hash)
    cpdef hash_drop(self, bytes key, bytes field)
