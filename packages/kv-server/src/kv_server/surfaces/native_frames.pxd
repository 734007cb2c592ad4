"""What other modules may call of the native frames of kv's own protocol."""


cpdef tuple read(bytes body, set still_open, max_batch)
cpdef answer(unsigned int request_id, reply, Py_ssize_t max_frame)
