"""What other modules may call of the native frames of RESP."""


cpdef frame(reply, int protocol)
cpdef bulks(items)
