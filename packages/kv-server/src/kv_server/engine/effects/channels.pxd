from kv_server.engine.effects.zsets cimport ZsetEffects


cdef class ChannelEffects(ZsetEffects):
    pass
