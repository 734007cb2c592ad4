"""All families, in the order in which they are reported."""

from tests.redis.families import collections, conversations, keys, ordered, server, streams, strings
from tests.redis.family import families

FAMILIES = families(
    strings.FAMILIES,
    keys.FAMILIES,
    collections.FAMILIES,
    ordered.FAMILIES,
    streams.FAMILIES,
    conversations.FAMILIES,
    server.FAMILIES,
)
