from cpython.object cimport PyObject


cdef extern from "Python.h":
    bint PyObject_IS_GC(PyObject*) noexcept
    void PyObject_GC_UnTrack(void*) noexcept


cdef inline void untrack(object thing) noexcept:
    """Spare the collector *thing*, which is in no cycle."""
    if PyObject_IS_GC(<PyObject*>thing):
        PyObject_GC_UnTrack(<PyObject*>thing)
