cpdef bytes from_octets(bytes octets)
cpdef object new(record, tuple fields)
cpdef bytes text_name(bytes raw, str label)
cpdef tuple values_in(list words, Py_ssize_t start, Py_ssize_t stop)
cpdef object text_int(bytes raw, low=*, high=*)
cpdef double text_float(bytes raw) except? -1
cpdef bytes text_number(bytes raw)
cpdef bytes resp_value(bytes blob)
cpdef object spread(function, tuple first, tuple rest)
