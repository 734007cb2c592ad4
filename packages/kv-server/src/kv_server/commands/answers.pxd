"""Answers as they are written on both doors."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from kv_server.model.octets cimport digits, int_in, octets_of, put_big

cdef enum:
    UNUSUAL = 0  # what became of a call: it was not run
    NIL = 1
    BLOB = 2
    NUMBER = 3
    COUNT = 4  # a number that is no value
    DONE = 5
    ROOM = 64  # what an answer takes at most, besides its octets


cdef struct Answer:
    const char* octets  # of a blob; of a number that is a value
    size_t size
    int64_t number


cdef inline char* put_line(char* out, int kind, Answer* answer, int protocol) noexcept:
    """Write a reply in the *protocol* of RESP; where it ends, or NULL if the value has no octets."""
    cdef const char* octets
    cdef char[24] spelled
    cdef size_t size
    cdef int64_t number
    if kind == BLOB:
        if int_in(<uint8_t*>answer.octets, answer.size, &number):
            size = digits(spelled, number)
            octets = spelled
        elif not octets_of(<uint8_t*>answer.octets, answer.size, &octets, &size):
            return NULL
        out[0] = c"$"
        out += 1 + digits(out + 1, size)
        memcpy(out, b"\r\n", 2)
        memcpy(out + 2, octets, size)
        out += 2 + size
    elif kind == NUMBER or kind == COUNT:
        out[0] = c":"
        out += 1 + digits(out + 1, answer.number)
    elif kind == DONE:
        memcpy(out, b"+OK", 3)
        out += 3
    elif protocol == 2:
        memcpy(out, b"$-1", 3)
        out += 3
    else:
        out[0] = c"_"
        out += 1
    memcpy(out, b"\r\n", 2)
    return out + 2


cdef inline char* put_frame(char* out, int kind, Answer* answer, uint32_t request_id) noexcept:
    """Write the frame of a reply to the request of that id; where it ends."""
    cdef size_t body = 8, size = answer.size
    if kind == BLOB or kind == NUMBER:
        if size < 256:
            out[11] = <char>0xC4
            out[12] = <char>size
            memcpy(out + 13, answer.octets, size)
            body = 9 + size
        else:
            out[11] = <char>0xC6
            put_big(out + 12, size, 4)
            memcpy(out + 16, answer.octets, size)
            body = 12 + size
    elif kind == NIL:
        out[11] = <char>0xC0
    elif answer.number < 128:
        out[11] = <char>answer.number
    else:
        out[11] = <char>0xCF
        body += put_big(out + 12, answer.number, 8)
    put_big(out, body, 4)
    out[4] = <char>0x93
    out[5] = <char>0xCE
    put_big(out + 6, request_id, 4)
    out[10] = 0
    return out + 4 + body
