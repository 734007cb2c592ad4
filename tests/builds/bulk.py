"""Calls that let collections grow to hundreds of elements and shrink again, as command lines drawn by dice."""

from __future__ import annotations

from random import Random
from typing import Final

HASH: Final = """
HSET $k $pairs
HSET $k $pairs
HSETNX $k $m $v
HDEL $k $members
HGET $k $m
HMGET $k $members
HGETALL $k
HKEYS $k
HVALS $k
HLEN $k
HEXISTS $k $m
HSTRLEN $k $m
HINCRBY $k $m $i
HINCRBYFLOAT $k $m 1.5
HRANDFIELD $k $n
HRANDFIELD $k $i WITHVALUES
HSCAN $k $cursor COUNT $n
HSCAN $k 0 MATCH m1*
"""
SET: Final = """
SADD $k $members
SADD $k $members
SREM $k $members
SPOP $k
SPOP $k $n
SRANDMEMBER $k $i
SMEMBERS $k
SISMEMBER $k $m
SMISMEMBER $k $members
SCARD $k
SMOVE $k $k $m
SINTER $k $k
SUNION $k $k
SDIFF $k $k
SINTERCARD 2 $k $k LIMIT $n
SINTERSTORE $k $k $k
SUNIONSTORE $k $k $k
SDIFFSTORE $k $k $k
SSCAN $k $cursor COUNT $n
SORT $k ALPHA LIMIT $n $n
"""
LIST: Final = """
RPUSH $k $values
LPUSH $k $values
RPUSH $k $values
LPUSHX $k $v
LPOP $k $n
RPOP $k $n
LLEN $k
LRANGE $k $i $i
LRANGE $k 0 -1
LINDEX $k $i
LSET $k $i $v
LINSERT $k BEFORE $v $v
LINSERT $k AFTER $v $v
LREM $k $i $v
LTRIM $k $i $i
LMOVE $k $k LEFT RIGHT
LMOVE $k $k RIGHT LEFT
LPOS $k $v RANK $rank COUNT $n MAXLEN $n
LMPOP 2 $k $k RIGHT COUNT $n
SORT $k ALPHA DESC STORE $k
"""
ZSET: Final = """
ZADD $k $scored
ZADD $k $scored
ZADD $k GT CH $scored
ZADD $k NX $scored
ZADD $k XX LT $scored
ZINCRBY $k $s $m
ZREM $k $members
ZSCORE $k $m
ZMSCORE $k $members
ZCARD $k
ZCOUNT $k $s $s
ZLEXCOUNT $k $lex $lex
ZRANK $k $m
ZREVRANK $k $m
ZRANGE $k $i $i WITHSCORES
ZRANGE $k 0 -1
ZRANGE $k $i $i REV
ZRANGEBYSCORE $k $s $s LIMIT $n $n
ZREVRANGEBYSCORE $k $s $s WITHSCORES
ZRANGEBYLEX $k $lex $lex
ZRANGE $k $s $s BYSCORE REV
ZPOPMIN $k $n
ZPOPMAX $k $n
ZRANDMEMBER $k $i WITHSCORES
ZREMRANGEBYRANK $k $i $i
ZREMRANGEBYSCORE $k $s $s
ZREMRANGEBYLEX $k $lex $lex
ZUNIONSTORE $k 2 $k $k AGGREGATE MAX
ZINTERSTORE $k 2 $k $k WEIGHTS 2 1
ZDIFF 2 $k $k WITHSCORES
ZDIFFSTORE $k 2 $k $k
ZRANGESTORE $k $k $i $i
ZSCAN $k $cursor COUNT $n
"""
ANY: Final = """
COPY $k $k REPLACE
RENAME $k $k
DUMP $k
DEL $k
TYPE $k
OBJECT ENCODING $k
EXPIRE $k 100
PEXPIRE $k 50
PERSIST $k
SORT $k BY nosort GET #
SORT $k
TTL $k
"""
KINDS: Final = tuple(tuple(lines.strip().splitlines()) for lines in (HASH, SET, LIST, ZSET))
OFTEN: Final = tuple(ANY.strip().splitlines())
SIZES: Final = (1, 1, 2, 3, 10, 40, 130, 300, 1_200)
SCORES: Final = (
    b"0",
    b"-0",
    b"1",
    b"-1",
    b"1.5",
    b"3",
    b"3",
    b"0.1",
    b"1e300",
    b"inf",
    b"-inf",
    b"(1",
    b"(0.1",
    b"9007199254740993",
)


class Bulk:
    """What one script fills and empties: a few keys, mostly of one kind, and the names in them."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.kind = dice.choice(KINDS)
        self.level = dice.random() < 0.3  # all scores are equal, so that ranges of names mean something
        self.keys = [b"a", b"b", b"{a}c"][: dice.randint(1, 3)]
        self.most = dice.choice(SIZES)
        lengths = dice.choice([(0,), (0, 5), (0, 5, 60), (0, 60, 130, 260, 1_000), (0, 5_000)])
        self.members = [b"m%d" % at + b"x" * dice.choice(lengths) for at in range(dice.choice([20, 200, 2_000]))]
        self.members += [b"", b"7", b"-3", b"\xff\x00", "é".encode(), b"9223372036854775807"]

    def line(self) -> list[bytes]:
        """The words of one call."""
        dice = self.dice
        template = dice.choice(
            OFTEN if dice.random() < 0.06 else dice.choice(KINDS) if dice.random() < 0.02 else self.kind
        )
        if "$lex" in template and not self.level:
            template = "ZCARD $k"
        return [word for part in template.split() for word in self._words(part)]

    def _words(self, part: str) -> list[bytes]:
        dice = self.dice
        count = dice.randint(1, self.most)
        match part:
            case "$k":
                return [dice.choice(self.keys)]
            case "$m" | "$v":
                return [dice.choice(self.members)]
            case "$members" | "$values":
                return dice.choices(self.members, k=count)
            case "$pairs":
                return [word for _ in range(count) for word in (dice.choice(self.members), self._value())]
            case "$scored":
                return [word for _ in range(count) for word in (self._score(), dice.choice(self.members))]
            case "$s":
                return [b"0" if self.level else dice.choice(SCORES)]
            case "$lex":
                return [dice.choice([b"-", b"+", b"[" + dice.choice(self.members), b"(" + dice.choice(self.members)])]
            case "$i":
                return [b"%d" % dice.choice([0, 1, -1, 2, 5, -5, dice.randint(-300, 300)])]
            case "$n":
                return [b"%d" % dice.choice([0, 1, 2, 10, dice.randint(1, 300)])]
            case "$rank":
                return [dice.choice([b"1", b"-1", b"2", b"-2"])]
            case "$cursor":
                return [b"%d" % dice.choice([0, 0, dice.getrandbits(48), dice.getrandbits(64)])]
            case _:
                return [part.encode()]

    def _value(self) -> bytes:
        return b"%d" % self.dice.randrange(-300, 300) if self.dice.random() < 0.5 else self.dice.choice(self.members)

    def _score(self) -> bytes:
        if self.level:
            return b"0"
        return b"%d" % self.dice.randrange(-50, 50) if self.dice.random() < 0.7 else self.dice.choice(SCORES[:-4])
