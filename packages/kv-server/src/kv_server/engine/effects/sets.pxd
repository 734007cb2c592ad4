cimport cython

from kv_server.engine.effects.namespaces cimport NamespaceEffects
from kv_server.model.set cimport Set, add, add_all, has, remove, which


cdef class SetEffects(NamespaceEffects):
    cpdef object set_at(self, bytes key)
    @cython.locals(found=Set)
    cpdef Py_ssize_t set_len(self, bytes key) except -1
    @cython.locals(found=Set)
    cpdef bint set_has(self, bytes key, bytes member) except -1
    @cython.locals(found=Set)
    cpdef list set_which(self, bytes key, members, bint there)
    @cython.locals(found=Set)
    cpdef set_add(self, bytes key, members)
    @cython.locals(found=Set, gone=cython.longlong)
    cpdef set_remove(self, bytes key, members)
