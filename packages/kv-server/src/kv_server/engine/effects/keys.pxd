cimport cython

from kv_server.engine.effects.patterns cimport PatternReads
from kv_server.model.entry cimport Entry
from kv_server.model.space cimport Namespace
from kv_server.model.table cimport Table


cdef class KeyEffects(PatternReads):
    @cython.locals(entry=Entry)
    cpdef bytes value(self, bytes key)
    @cython.locals(entry=Entry, space=Namespace, table=Table)
    cpdef key_put(self, bytes key, bytes value, long long expires_ms)
    @cython.locals(entry=Entry, space=Namespace, table=Table)
    cpdef key_expiry(self, bytes key, long long expires_ms)
