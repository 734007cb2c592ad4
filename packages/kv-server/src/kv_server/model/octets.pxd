"""Texts and numbers as octets: what a blob holds, what a call spells, how both are written."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline bint is_ascii(const char* text, size_t size) noexcept:
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, text, 8)
        if word & 0x8080808080808080ULL:
            return False
        text += 8
        size -= 8
    while size:
        if text[0] & 0x80:
            return False
        text += 1
        size -= 1
    return True


cdef inline uint32_t big16(const uint8_t* at) noexcept:
    return at[0] << 8 | at[1]


cdef inline uint32_t big32(const uint8_t* at) noexcept:
    return <uint32_t>at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]


cdef inline size_t put_big(char* out, uint64_t number, int octets) noexcept:
    cdef int at
    for at in range(octets):
        out[at] = <char>(number >> 8 * (octets - 1 - at))
    return octets


cdef inline size_t str_head(char* out, size_t size) noexcept:
    """Write the head of a text of *size* octets in its shortest form."""
    if size < 32:
        out[0] = <char>(0xA0 | size)
        return 1
    if size < 256:
        out[0] = <char>0xD9
        return 1 + put_big(out + 1, size, 1)
    out[0] = <char>0xDA
    return 1 + put_big(out + 1, size, 2)


cdef inline size_t bin_head(char* out, size_t size) noexcept:
    """Write the head of *size* octets in its shortest form."""
    if size < 256:
        out[0] = <char>0xC4
        return 1 + put_big(out + 1, size, 1)
    if size < 65_536:
        out[0] = <char>0xC5
        return 1 + put_big(out + 1, size, 2)
    out[0] = <char>0xC6
    return 1 + put_big(out + 1, size, 4)


cdef inline size_t array_head(char* out, size_t count) noexcept:
    """Write the head of an array of *count* things in its shortest form."""
    if count < 16:
        out[0] = <char>(0x90 | count)
        return 1
    if count < 65_536:
        out[0] = <char>0xDC
        return 1 + put_big(out + 1, count, 2)
    out[0] = <char>0xDD
    return 1 + put_big(out + 1, count, 4)


cdef inline bytes text_blob(const char* text, size_t size):
    """The blob of a text of ASCII; None where it is no such text, or too long for the heads above."""
    cdef char[3] head
    cdef size_t before
    cdef bytes blob
    if size > 65_535 or not is_ascii(text, size):
        return None
    before = str_head(head, size)
    blob = PyBytes_FromStringAndSize(NULL, before + size)
    memcpy(PyBytes_AS_STRING(blob), head, before)
    memcpy(PyBytes_AS_STRING(blob) + before, text, size)
    return blob


cdef inline size_t head_size(uint8_t first) noexcept:
    """How many octets the head of a text or of bytes has that begins so; 0 for other values."""
    if 0xA0 <= first < 0xC0:
        return 1
    if first == 0xD9 or first == 0xC4:
        return 2
    if first == 0xDA or first == 0xC5:
        return 3
    return 5 if first == 0xDB or first == 0xC6 else 0


cdef inline bint octets_of(const uint8_t* blob, size_t size, const char** found, size_t* length) noexcept:
    """Where the octets of a text or of bytes are; False for other values."""
    cdef size_t head = head_size(blob[0])
    found[0] = <const char*>blob + head
    length[0] = size - head
    return head > 0


cdef inline int int_in(const uint8_t* blob, size_t size, int64_t* number) noexcept:
    """Read an int of 64 bits; 0 for other values."""
    cdef uint8_t first = blob[0]
    cdef uint64_t value = 0
    cdef size_t at
    if first < 0x80:
        number[0] = first
    elif first >= 0xE0:
        number[0] = <int64_t>first - 256
    elif 0xCC <= first <= 0xD3:
        for at in range(1, size):
            value = value << 8 | blob[at]
        if first == 0xCF and value >> 63:
            return 0
        if first == 0xD0:
            number[0] = <int64_t>value - (256 if value & 0x80 else 0)
        elif first == 0xD1:
            number[0] = <int64_t>value - (65536 if value & 0x8000 else 0)
        elif first == 0xD2:
            number[0] = <int64_t>value - (<int64_t>1 << 32 if value & 0x80000000 else 0)
        else:
            number[0] = <int64_t>value
    else:
        return 0
    return 1


cdef inline int spelled(const char* text, size_t size, int64_t* number) noexcept:
    """Read an int of at most 18 digits in its one spelling; 0 for other texts."""
    cdef bint negative = size > 0 and text[0] == c"-"
    cdef size_t at = negative
    cdef int64_t value = 0
    if size == at or size - at > 18 or (text[at] == c"0" and size > 1):
        return 0
    while at < size:
        if not c"0" <= text[at] <= c"9":
            return 0
        value = value * 10 + (text[at] - c"0")
        at += 1
    number[0] = -value if negative else value
    return 1


cdef inline size_t int_blob(char* out, int64_t number) noexcept:
    """Write an int as a blob in its shortest form."""
    if number >= 0:
        if number < 0x80:
            out[0] = <char>number
            return 1
        if number < 0x100:
            out[0] = <char>0xCC
            return 1 + put_big(out + 1, number, 1)
        if number < 0x10000:
            out[0] = <char>0xCD
            return 1 + put_big(out + 1, number, 2)
        if number < 0x100000000:
            out[0] = <char>0xCE
            return 1 + put_big(out + 1, number, 4)
        out[0] = <char>0xCF
        return 1 + put_big(out + 1, number, 8)
    if number >= -32:
        out[0] = <char>(number + 256)
        return 1
    if number >= -0x80:
        out[0] = <char>0xD0
        return 1 + put_big(out + 1, <uint64_t>number, 1)
    if number >= -0x8000:
        out[0] = <char>0xD1
        return 1 + put_big(out + 1, <uint64_t>number, 2)
    if number >= -<int64_t>0x80000000:
        out[0] = <char>0xD2
        return 1 + put_big(out + 1, <uint64_t>number, 4)
    out[0] = <char>0xD3
    return 1 + put_big(out + 1, <uint64_t>number, 8)


cdef inline size_t digits(char* out, int64_t number) noexcept:
    """Write a number as people do."""
    cdef char[20] reversed_digits
    cdef size_t size = 0, at = 0
    cdef uint64_t rest = <uint64_t>number
    if number < 0:
        out[0] = c"-"
        at = 1
        rest = 0 - rest
    while True:
        reversed_digits[size] = <char>(c"0" + rest % 10)
        size += 1
        rest //= 10
        if not rest:
            break
    while size:
        size -= 1
        out[at] = reversed_digits[size]
        at += 1
    return at
