cimport cython

from kv_server.engine.effects.hashes cimport HashEffects
from kv_server.model.list cimport List


cdef class ListEffects(HashEffects):
    cpdef object list_of(self, bytes key)
    @cython.locals(elements=List)
    cpdef Py_ssize_t list_len(self, bytes key) except -1
    cpdef bytes list_at(self, bytes key, Py_ssize_t place)
    cpdef list list_part(self, bytes key, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(elements=List)
    cpdef Py_ssize_t list_add(self, bytes key, bint left, tuple blobs) except -1
    @cython.locals(elements=List, taken=list, grown=cython.longlong)
    cpdef list list_pop(self, bytes key, bint left, Py_ssize_t count)
