from kv_server.engine.effects.channels cimport ChannelEffects


cdef class StreamEffects(ChannelEffects):
    pass
