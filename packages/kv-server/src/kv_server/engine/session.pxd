cdef class Session:
    cdef public object id, secret, client, user, login, open, rights, amid, guard, detour, transaction, hearing, outbox
    cdef public object namespace
    cdef public dict answers, waiting
    cdef public long long answer_bytes, seen, ends_ms
    cdef public bint lasting, patient
