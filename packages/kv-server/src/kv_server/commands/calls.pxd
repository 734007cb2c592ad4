"""Calls as they are written on both doors in their commonest form: from octets to what is asked."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from kv_server.model.octets cimport big16, big32, head_size, is_ascii, octets_of

cdef enum:
    NONE = -1  # no call of these
    GET, SET, INCR, DEL
    MOST_KEY = 65_535
    MOST_VALUE = 4_096


cdef struct Call:
    int what
    const char* key
    size_t key_size
    const char* value  # of SET: a blob, or a bare text
    size_t value_size
    bint bare
    uint32_t id  # of a frame
    int64_t deadline, seq, seen  # what its meta says, or -1


cdef inline const char* read_number(const char* at, const char* end, char mark, size_t* number) noexcept:
    """Read a length with its mark and the end of its line; where that ends, or NULL if it is not of the plainest form."""
    cdef size_t value = 0
    if at + 4 > end or at[0] != mark or not c"0" <= at[1] <= c"9" or (at[1] == c"0" and at[2] != 13):
        return NULL
    at += 1
    while at < end and c"0" <= at[0] <= c"9":
        value = value * 10 + (at[0] - c"0")
        if value > 1 << 20:
            return NULL
        at += 1
    if at + 2 > end or at[0] != 13 or at[1] != 10:
        return NULL
    number[0] = value
    return at + 2


cdef inline bint ended(const char* at, size_t size, const char* end) noexcept:
    return size + 2 <= <size_t>(end - at) and at[size] == 13 and at[size + 1] == 10


cdef inline const char* read_line(const char* at, const char* end, Call* call) noexcept:
    """Read one command line of the plainest form; where it ends, or NULL."""
    cdef size_t words, size
    call.deadline = call.seq = call.seen = -1
    at = read_number(at, end, c"*", &words)
    if at == NULL or words < 2 or words > 3:
        return NULL
    at = read_number(at, end, c"$", &size)
    if at == NULL or not ended(at, size, end):
        return NULL
    call.what = named(at, size)
    if call.what == NONE or (call.what == SET) != (words == 3):
        return NULL
    at = read_number(at + size + 2, end, c"$", &call.key_size)
    if at == NULL or call.key_size > MOST_KEY or not ended(at, call.key_size, end):
        return NULL
    call.key = at
    at += call.key_size + 2
    if words == 2:
        return at
    at = read_number(at, end, c"$", &size)
    if at == NULL or size > MOST_VALUE or not ended(at, size, end) or not is_ascii(at, size):
        return NULL
    call.value, call.value_size, call.bare = at, size, True
    return at + size + 2


cdef inline int named(const char* word, size_t size) noexcept:
    """Which call *word* names, in whatever case."""
    if size == 3:
        if word[0] | 32 == c"g" and word[1] | 32 == c"e" and word[2] | 32 == c"t":
            return GET
        if word[0] | 32 == c"s" and word[1] | 32 == c"e" and word[2] | 32 == c"t":
            return SET
        if word[0] | 32 == c"d" and word[1] | 32 == c"e" and word[2] | 32 == c"l":
            return DEL
    elif size == 4 and word[0] | 32 == c"i" and word[1] | 32 == c"n" and word[2] | 32 == c"c" and word[3] | 32 == c"r":
        return INCR
    return NONE


cdef inline bint spoken(const char* word, size_t size) noexcept:
    """Whether *word* is in capitals."""
    cdef size_t at
    for at in range(size):
        if word[at] > c"Z":
            return False
    return True


cdef inline const char* read_octets(const char* at, const char* end, const char** found, size_t* size) noexcept:
    """Read a str or a bin of msgpack; where it ends, or NULL."""
    cdef const uint8_t* head = <const uint8_t*>at
    cdef size_t left = end - at, width
    if left < 1:
        return NULL
    if 0xA0 <= head[0] < 0xC0:
        width, size[0] = 1, head[0] & 31
    elif left > 2 and (head[0] == 0xC4 or head[0] == 0xD9):
        width, size[0] = 2, head[1]
    elif left > 3 and (head[0] == 0xC5 or head[0] == 0xDA):
        width, size[0] = 3, big16(head + 1)
    else:
        return NULL
    found[0] = at + width
    return at + width + size[0] if width + size[0] <= left else NULL


cdef inline const char* read_uint(const char* at, const char* end, int64_t* number) noexcept:
    """Read a number of msgpack that is not negative, in whatever form; where it ends, or NULL."""
    cdef const uint8_t* head = <const uint8_t*>at
    cdef size_t width, left = end - at, place
    if left < 1:
        return NULL
    if head[0] < 0x80:
        number[0] = head[0]
        return at + 1
    if not 0xCC <= head[0] <= 0xCF:
        return NULL
    width = 1 << (head[0] - 0xCC)
    if left <= width or (width == 8 and head[1] & 0x80):
        return NULL
    number[0] = 0
    for place in range(width):
        number[0] = number[0] << 8 | head[1 + place]
    return at + 1 + width


cdef inline const char* read_meta(const char* at, const char* end, Call* call) noexcept:
    """Read the nil in place of options, and a map of deadline, seq and seen; where it ends, or NULL."""
    cdef int entries
    cdef int64_t value
    cdef char key
    if end - at < 2 or <uint8_t>at[0] != 0xC0 or not 0x80 <= <uint8_t>at[1] <= 0x83:
        return NULL
    entries = at[1] & 15
    at += 2
    while entries:
        if at >= end:
            return NULL
        key = at[0]
        at = read_uint(at + 1, end, &value)
        if at == NULL:
            return NULL
        if key == 1:
            call.deadline = value
        elif key == 2:
            call.seq = value
        elif key == 3:
            call.seen = value
        else:
            return NULL
        entries -= 1
    return at


cdef inline const char* read_frame(const char* at, const char* end, Call* call) noexcept:
    """Read one request without options whose value is a plain text or bytes; where it ends, or NULL."""
    cdef const char* stop
    cdef const char* word
    cdef size_t size
    cdef int64_t number
    cdef uint8_t parts
    call.deadline = call.seq = call.seen = -1
    call.bare = False
    if end - at < 8:
        return NULL
    size = big32(<const uint8_t*>at)
    at += 4
    parts = at[0]
    if size < 4 or size > <size_t>(end - at) or (parts != 0x93 and parts != 0x95):
        return NULL
    stop = at + size
    at = read_uint(at + 1, stop, &number)
    if at == NULL or not 0 < number <= 0xFFFFFFFF:
        return NULL
    call.id = <uint32_t>number
    at = read_octets(at, stop, &word, &size)
    if at == NULL or at >= stop:
        return NULL
    call.what = named(word, size)
    if call.what == NONE or not spoken(word, size) or <uint8_t>at[0] != (0x92 if call.what == SET else 0x91):
        return NULL
    at = read_octets(at + 1, stop, &call.key, &call.key_size)
    if at == NULL or call.key_size > MOST_KEY:
        return NULL
    if call.what == SET:
        if at >= stop or not 0xC4 <= <uint8_t>at[0] <= 0xC5:
            return NULL
        at = read_octets(at, stop, &call.value, &call.value_size)
        if at == NULL or call.value_size > MOST_VALUE or not is_plain(<const uint8_t*>call.value, call.value_size):
            return NULL
    if parts == 0x95:
        at = read_meta(at, stop, call)
    return stop if at == stop else NULL


cdef inline bint is_plain(const uint8_t* blob, size_t size) noexcept:
    """Whether *blob* is a text of ASCII, or bytes, with the shortest head, and nothing behind it."""
    cdef const char* content
    cdef size_t length
    if size == 0 or size < head_size(blob[0]) or not octets_of(blob, size, &content, &length):
        return False
    if blob[0] < 0xC0:
        return <size_t>(blob[0] & 31) == length and is_ascii(content, length)
    if blob[0] == 0xD9:
        return blob[1] == length and length > 31 and is_ascii(content, length)
    if blob[0] == 0xDA:
        return big16(blob + 1) == length and length > 255 and is_ascii(content, length)
    if blob[0] == 0xC4:
        return blob[1] == length
    return blob[0] == 0xC5 and big16(blob + 1) == length and length > 255
