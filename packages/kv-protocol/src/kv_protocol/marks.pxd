"""The heads of msgpack in C, written and read where they are needed. *at* has room for nine bytes where one writes."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #define kv_swap16 __builtin_bswap16
    #define kv_swap32 __builtin_bswap32
    #define kv_swap64 __builtin_bswap64
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #error "this machine counts from the other end"
    #endif
    """
    uint16_t kv_swap16(uint16_t) noexcept nogil
    uint32_t kv_swap32(uint32_t) noexcept nogil
    uint64_t kv_swap64(uint64_t) noexcept nogil


cdef inline uint16_t big16(const uint8_t* at) noexcept nogil:
    cdef uint16_t number
    memcpy(&number, at, 2)
    return kv_swap16(number)


cdef inline uint32_t big32(const uint8_t* at) noexcept nogil:
    cdef uint32_t number
    memcpy(&number, at, 4)
    return kv_swap32(number)


cdef inline uint64_t big64(const uint8_t* at) noexcept nogil:
    cdef uint64_t number
    memcpy(&number, at, 8)
    return kv_swap64(number)


cdef inline double double_at(const uint8_t* at) noexcept nogil:
    cdef uint64_t bits = big64(at)
    cdef double number
    memcpy(&number, &bits, 8)
    return number


cdef inline uint8_t* put16(uint8_t* at, uint8_t head, uint16_t number) noexcept nogil:
    at[0] = head
    number = kv_swap16(number)
    memcpy(at + 1, &number, 2)
    return at + 3


cdef inline uint8_t* put32(uint8_t* at, uint8_t head, uint32_t number) noexcept nogil:
    at[0] = head
    number = kv_swap32(number)
    memcpy(at + 1, &number, 4)
    return at + 5


cdef inline uint8_t* put64(uint8_t* at, uint8_t head, uint64_t number) noexcept nogil:
    at[0] = head
    number = kv_swap64(number)
    memcpy(at + 1, &number, 8)
    return at + 9


cdef inline void put_length(uint8_t* at, uint32_t number) noexcept nogil:
    number = kv_swap32(number)
    memcpy(at, &number, 4)


cdef inline uint8_t* put_unsigned(uint8_t* at, uint64_t number) noexcept nogil:
    if number < 0x80:
        at[0] = <uint8_t>number
        return at + 1
    if number < 0x100:
        at[0] = 0xCC
        at[1] = <uint8_t>number
        return at + 2
    if number < 0x10000:
        return put16(at, 0xCD, <uint16_t>number)
    if number < 0x100000000ULL:
        return put32(at, 0xCE, <uint32_t>number)
    return put64(at, 0xCF, number)


cdef inline uint8_t* put_signed(uint8_t* at, int64_t number) noexcept nogil:
    if number >= 0:
        return put_unsigned(at, <uint64_t>number)
    if number >= -32:
        at[0] = <uint8_t>number
        return at + 1
    if number >= -0x80:
        at[0] = 0xD0
        at[1] = <uint8_t>number
        return at + 2
    if number >= -0x8000:
        return put16(at, 0xD1, <uint16_t>number)
    if number >= -0x80000000LL:
        return put32(at, 0xD2, <uint32_t>number)
    return put64(at, 0xD3, <uint64_t>number)


cdef inline uint8_t* put_double(uint8_t* at, double number) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &number, 8)
    if number != number:
        bits = 0x7FF8000000000000ULL
    return put64(at, 0xCB, bits)


cdef inline uint8_t* put_str_head(uint8_t* at, uint32_t size) noexcept nogil:
    if size < 32:
        at[0] = <uint8_t>(0xA0 + size)
        return at + 1
    if size < 0x100:
        at[0] = 0xD9
        at[1] = <uint8_t>size
        return at + 2
    return put16(at, 0xDA, <uint16_t>size) if size < 0x10000 else put32(at, 0xDB, size)


cdef inline uint8_t* put_bin_head(uint8_t* at, uint32_t size) noexcept nogil:
    if size < 0x100:
        at[0] = 0xC4
        at[1] = <uint8_t>size
        return at + 2
    return put16(at, 0xC5, <uint16_t>size) if size < 0x10000 else put32(at, 0xC6, size)


cdef inline uint8_t* put_array_head(uint8_t* at, uint32_t size) noexcept nogil:
    if size < 16:
        at[0] = <uint8_t>(0x90 + size)
        return at + 1
    return put16(at, 0xDC, <uint16_t>size) if size < 0x10000 else put32(at, 0xDD, size)


cdef inline uint8_t* put_map_head(uint8_t* at, uint32_t size) noexcept nogil:
    if size < 16:
        at[0] = <uint8_t>(0x80 + size)
        return at + 1
    return put16(at, 0xDE, <uint16_t>size) if size < 0x10000 else put32(at, 0xDF, size)


cdef inline bint is_ascii(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    cdef uint64_t eight, seen = 0
    cdef Py_ssize_t place = 0
    while size - place >= 8:
        memcpy(&eight, at + place, 8)
        seen |= eight
        place += 8
        if place & 63 == 0 and seen & 0x8080808080808080ULL:
            return False
    while place < size:
        seen |= at[place]
        place += 1
    return seen & 0x8080808080808080ULL == 0


cdef inline bint is_text(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Whether these bytes are UTF-8: the shortest forms of characters, no surrogates."""
    if is_ascii(at, size):
        return True
    cdef const uint8_t* end = at + size
    cdef uint8_t first, low, high
    cdef int more
    while at < end:
        first = at[0]
        at += 1
        if first < 0x80:
            continue
        low, high = 0x80, 0xBF
        if first < 0xC2:
            return False
        if first < 0xE0:
            more = 1
        elif first < 0xF0:
            more = 2
            if first == 0xE0:
                low = 0xA0
            elif first == 0xED:
                high = 0x9F
        elif first < 0xF5:
            more = 3
            if first == 0xF0:
                low = 0x90
            elif first == 0xF4:
                high = 0x8F
        else:
            return False
        if end - at < more or at[0] < low or at[0] > high:
            return False
        at += 1
        while more > 1:
            if at[0] & 0xC0 != 0x80:
                return False
            at += 1
            more -= 1
    return True
