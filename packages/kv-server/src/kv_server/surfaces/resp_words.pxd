"""The words of a command line of the plainest form, as they stand in the input."""

from libc.stdint cimport int64_t
from libc.string cimport memcmp

from kv_server.commands.calls cimport ended, read_number

cdef enum:
    EXACT = 15  # digits of a number that is a float without rounding


cdef struct Word:
    const char* at
    size_t size


cdef inline const char* read_words(const char* at, const char* end, Word* words, size_t room, size_t* count) noexcept:
    """Read the words of one line; where it ends, or NULL if it is not complete, or has more than there is room for."""
    cdef size_t place
    at = read_number(at, end, c"*", count)
    if at == NULL or not 0 < count[0] <= room:
        return NULL
    for place in range(count[0]):
        at = read_number(at, end, c"$", &words[place].size)
        if at == NULL or not ended(at, words[place].size, end):
            return NULL
        words[place].at = at
        at += words[place].size + 2
    return at


cdef inline bint same(const Word* one, const Word* other) noexcept:
    return one.size == other.size and not memcmp(one.at, other.at, one.size)


cdef inline bint natural(const Word* word, int64_t* number) noexcept:
    """Whether *word* is digits alone, so few that a float is as exact."""
    cdef size_t place
    if not 0 < word.size <= EXACT:
        return False
    number[0] = 0
    for place in range(word.size):
        if not c"0" <= word.at[place] <= c"9":
            return False
        number[0] = 10 * number[0] + (word.at[place] - c"0")
    return True
