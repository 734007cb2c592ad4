from kv_client._core.call cimport Call


cdef class FutureCall(Call):
    cdef public object future

    cpdef wake(self)
