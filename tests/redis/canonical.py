"""A line for each command that must succeed here and there: `name: call; the call`, by the names of COMMAND LIST."""

from __future__ import annotations

from tests.redis.client import Words

_LINES = """\
append: SET s ab; APPEND s cd
bitcount: SET s foobar; BITCOUNT s 1 3
bitfield: BITFIELD b INCRBY u8 0 200 OVERFLOW SAT INCRBY u8 0 100 GET i4 4
bitfield_ro: SET s A; BITFIELD_RO s GET u8 0
bitop: SET s a; SET t b; BITOP AND d s t
bitpos: SET s A; BITPOS s 1
decr: SET n 5; DECR n
decrby: SET n 5; DECRBY n 7
get: SET s x; GET s
getbit: SETBIT b 7 1; GETBIT b 7
getdel: SET s x; GETDEL s
getex: SET s x; GETEX s PERSIST
getrange: SET s hello; GETRANGE s 1 -2
getset: SET s x; GETSET s y
incr: INCR n
incrby: INCRBY n 5
incrbyfloat: SET n 1.5; INCRBYFLOAT n 0.25
lcs: SET s ohmytext; SET t mynewtext; LCS s t IDX WITHMATCHLEN
mget: SET s x; MGET s absent
mset: MSET s x t y
msetnx: MSETNX s x t y
psetex: PSETEX s 100000 x
set: SET s x EX 100 NX
setbit: SETBIT b 7 1
setex: SETEX s 100 x
setnx: SETNX s x
setrange: SET s hello; SETRANGE s 1 ipp
strlen: SET s hello; STRLEN s
substr: SET s hello; SUBSTR s 1 2

copy: SET s x; COPY s t
dbsize: SET s x; DBSIZE
del: SET s x; DEL s absent
dump: SET s x; DUMP s
exists: SET s x; EXISTS s s absent
expire: SET s x; EXPIRE s 100
expireat: SET s x; EXPIREAT s 33177117420
expiretime: SET s x EXAT 33177117420; EXPIRETIME s
flushall: SET s x; FLUSHALL
flushdb: SET s x; FLUSHDB
keys: SET s x; KEYS *
move: SET s x; MOVE s 1
object|encoding: SET s x; OBJECT ENCODING s
object|freq: OBJECT FREQ absent
object|help: OBJECT HELP
object|idletime: SET s x; OBJECT IDLETIME s
object|refcount: SET s x; OBJECT REFCOUNT s
persist: SET s x EX 100; PERSIST s
pexpire: SET s x; PEXPIRE s 100000
pexpireat: SET s x; PEXPIREAT s 33177117420000
pexpiretime: SET s x PXAT 33177117420000; PEXPIRETIME s
pttl: SET s x PX 100000; PTTL s
randomkey: SET s x; RANDOMKEY
rename: SET s x; RENAME s t
renamenx: SET s x; RENAMENX s t
restore: SET s x; DUMP s; RESTORE t 0 <payload>
scan: SET s x; SCAN 0
sort: RPUSH l 3 1 2; SORT l DESC
sort_ro: RPUSH l 3 1 2; SORT_RO l
swapdb: SET s x; SWAPDB 0 1
touch: SET s x; TOUCH s absent
ttl: SET s x EX 100; TTL s
type: SET s x; TYPE s
unlink: SET s x; UNLINK s
wait: WAIT 0 0

hdel: HSET h f x; HDEL h f
hexists: HSET h f x; HEXISTS h f
hget: HSET h f x; HGET h f
hgetall: HSET h f x g y; HGETALL h
hincrby: HSET h f 5; HINCRBY h f 2
hincrbyfloat: HSET h f 1.5; HINCRBYFLOAT h f 0.25
hkeys: HSET h f x; HKEYS h
hlen: HSET h f x; HLEN h
hmget: HSET h f x; HMGET h f g
hmset: HMSET h f x g y
hrandfield: HSET h f x; HRANDFIELD h 2 WITHVALUES
hscan: HSET h f x; HSCAN h 0
hset: HSET h f x g y
hsetnx: HSETNX h f x
hstrlen: HSET h f hello; HSTRLEN h f
hvals: HSET h f x; HVALS h

blmove: RPUSH l x; BLMOVE l m LEFT RIGHT 1
blmpop: RPUSH l x y; BLMPOP 1 2 absent l LEFT COUNT 2
blpop: RPUSH l x; BLPOP l 1
brpop: RPUSH l x; BRPOP l 1
brpoplpush: RPUSH l x; BRPOPLPUSH l m 1
lindex: RPUSH l x y; LINDEX l -1
linsert: RPUSH l x; LINSERT l BEFORE x w
llen: RPUSH l x y; LLEN l
lmove: RPUSH l x y; LMOVE l m LEFT RIGHT
lmpop: RPUSH l x y; LMPOP 2 absent l LEFT COUNT 2
lpop: RPUSH l x y; LPOP l 2
lpos: RPUSH l x y x; LPOS l x RANK -1
lpush: LPUSH l x y
lpushx: RPUSH l x; LPUSHX l y
lrange: RPUSH l x y z; LRANGE l 1 -1
lrem: RPUSH l x y x; LREM l 0 x
lset: RPUSH l x; LSET l 0 y
ltrim: RPUSH l x y z; LTRIM l 1 1
rpop: RPUSH l x y; RPOP l
rpoplpush: RPUSH l x y; RPOPLPUSH l m
rpush: RPUSH l x y
rpushx: RPUSH l x; RPUSHX l y

sadd: SADD s m n
scard: SADD s m n; SCARD s
sdiff: SADD s m n; SADD t n; SDIFF s t
sdiffstore: SADD s m n; SADD t n; SDIFFSTORE d s t
sinter: SADD s m n; SADD t n; SINTER s t
sintercard: SADD s m n; SADD t n; SINTERCARD 2 s t
sinterstore: SADD s m n; SADD t n; SINTERSTORE d s t
sismember: SADD s m; SISMEMBER s m
smembers: SADD s m n; SMEMBERS s
smismember: SADD s m; SMISMEMBER s m n
smove: SADD s m; SMOVE s t m
spop: SADD s m; SPOP s
srandmember: SADD s m; SRANDMEMBER s -3
srem: SADD s m n; SREM s m
sscan: SADD s m; SSCAN s 0
sunion: SADD s m; SADD t n; SUNION s t
sunionstore: SADD s m; SADD t n; SUNIONSTORE d s t

bzmpop: ZADD z 1 m; BZMPOP 1 1 z MIN
bzpopmax: ZADD z 1 m; BZPOPMAX z 1
bzpopmin: ZADD z 1 m; BZPOPMIN z 1
zadd: ZADD z 1 m 2 n
zcard: ZADD z 1 m; ZCARD z
zcount: ZADD z 1 m 2 n; ZCOUNT z (1 +inf
zdiff: ZADD z 1 m 2 n; ZADD y 1 m; ZDIFF 2 z y WITHSCORES
zdiffstore: ZADD z 1 m 2 n; ZADD y 1 m; ZDIFFSTORE d 2 z y
zincrby: ZINCRBY z 2.5 m
zinter: ZADD z 1 m 2 n; ZADD y 1 m; ZINTER 2 z y WEIGHTS 2 3 AGGREGATE MAX WITHSCORES
zintercard: ZADD z 1 m 2 n; ZADD y 1 m; ZINTERCARD 2 z y LIMIT 5
zinterstore: ZADD z 1 m 2 n; ZADD y 1 m; ZINTERSTORE d 2 z y
zlexcount: ZADD z 0 m 0 n; ZLEXCOUNT z [m +
zmpop: ZADD z 1 m 2 n; ZMPOP 1 z MAX COUNT 2
zmscore: ZADD z 1 m; ZMSCORE z m n
zpopmax: ZADD z 1 m; ZPOPMAX z
zpopmin: ZADD z 1 m 2 n; ZPOPMIN z 2
zrandmember: ZADD z 1 m; ZRANDMEMBER z 1 WITHSCORES
zrange: ZADD z 1 m 2 n; ZRANGE z 0 -1 REV WITHSCORES
zrangebylex: ZADD z 0 m 0 n; ZRANGEBYLEX z - (n
zrangebyscore: ZADD z 1 m 2 n; ZRANGEBYSCORE z -inf 1 WITHSCORES LIMIT 0 1
zrangestore: ZADD z 1 m 2 n; ZRANGESTORE d z 0 0
zrank: ZADD z 1 m; ZRANK z m
zrem: ZADD z 1 m; ZREM z m
zremrangebylex: ZADD z 0 m 0 n; ZREMRANGEBYLEX z [m [m
zremrangebyrank: ZADD z 1 m 2 n; ZREMRANGEBYRANK z 0 0
zremrangebyscore: ZADD z 1 m 2 n; ZREMRANGEBYSCORE z (1 2
zrevrange: ZADD z 1 m 2 n; ZREVRANGE z 0 -1
zrevrangebylex: ZADD z 0 m 0 n; ZREVRANGEBYLEX z + -
zrevrangebyscore: ZADD z 1 m 2 n; ZREVRANGEBYSCORE z +inf -inf
zrevrank: ZADD z 1 m; ZREVRANK z m
zscan: ZADD z 1 m; ZSCAN z 0
zscore: ZADD z 1.5 m; ZSCORE z m
zunion: ZADD z 1 m; SADD y n; ZUNION 2 z y WITHSCORES
zunionstore: ZADD z 1 m; SADD y n; ZUNIONSTORE d 2 z y AGGREGATE MIN

pfadd: PFADD p a b c
pfcount: PFADD p a b c; PFCOUNT p absent
pfmerge: PFADD p a; PFADD q b; PFMERGE d p q

geoadd: GEOADD g 13.361389 38.115556 Palermo
geodist: GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; GEODIST g Palermo Catania km
geohash: GEOADD g 13.361389 38.115556 Palermo; GEOHASH g Palermo
geopos: GEOADD g 13.361389 38.115556 Palermo; GEOPOS g Palermo absent
georadius: GEOADD g 13.361389 38.115556 Palermo; GEORADIUS g 15 37 200 km WITHDIST
georadius_ro: GEOADD g 13.361389 38.115556 Palermo; GEORADIUS_RO g 15 37 200 km
georadiusbymember: GEOADD g 13.361389 38.115556 Palermo; GEORADIUSBYMEMBER g Palermo 200 km
georadiusbymember_ro: GEOADD g 13.361389 38.115556 Palermo; GEORADIUSBYMEMBER_RO g Palermo 200 km
geosearch: GEOADD g 13.361389 38.115556 Palermo; GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD
geosearchstore: GEOADD g 13.361389 38.115556 Palermo; GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 1 km

xack: XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >; XACK x g 1-1
xadd: XADD x 1-1 f v
xautoclaim: XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >; XAUTOCLAIM x g d 0 0
xclaim: XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >; XCLAIM x g d 0 1-1
xdel: XADD x 1-1 f v; XDEL x 1-1
xgroup|create: XGROUP CREATE x g $ MKSTREAM
xgroup|createconsumer: XGROUP CREATE x g $ MKSTREAM; XGROUP CREATECONSUMER x g c
xgroup|delconsumer: XGROUP CREATE x g $ MKSTREAM; XGROUP CREATECONSUMER x g c; XGROUP DELCONSUMER x g c
xgroup|destroy: XGROUP CREATE x g $ MKSTREAM; XGROUP DESTROY x g
xgroup|help: XGROUP HELP
xgroup|setid: XGROUP CREATE x g $ MKSTREAM; XGROUP SETID x g 0
xinfo|consumers: XGROUP CREATE x g $ MKSTREAM; XGROUP CREATECONSUMER x g c; XINFO CONSUMERS x g
xinfo|groups: XGROUP CREATE x g $ MKSTREAM; XINFO GROUPS x
xinfo|help: XINFO HELP
xinfo|stream: XADD x 1-1 f v; XINFO STREAM x
xlen: XADD x 1-1 f v; XLEN x
xpending: XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >; XPENDING x g
xrange: XADD x 1-1 f v; XRANGE x - + COUNT 1
xread: XADD x 1-1 f v; XREAD COUNT 1 STREAMS x 0
xreadgroup: XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c COUNT 1 STREAMS x >
xrevrange: XADD x 1-1 f v; XREVRANGE x + -
xsetid: XADD x 1-1 f v; XSETID x 5-0
xtrim: XADD x 1-1 f v; XTRIM x MAXLEN 0

discard: MULTI; SET s x; DISCARD
exec: MULTI; INCR n; EXEC
multi: MULTI
unwatch: WATCH s; UNWATCH
watch: WATCH s t

psubscribe: PSUBSCRIBE a*
publish: PUBLISH a hello
pubsub|channels: PUBSUB CHANNELS
pubsub|help: PUBSUB HELP
pubsub|numpat: PUBSUB NUMPAT
pubsub|numsub: PUBSUB NUMSUB a
pubsub|shardchannels: PUBSUB SHARDCHANNELS
pubsub|shardnumsub: PUBSUB SHARDNUMSUB a
punsubscribe: PUNSUBSCRIBE
spublish: SPUBLISH a hello
ssubscribe: SSUBSCRIBE a
subscribe: SUBSCRIBE a
sunsubscribe: SUNSUBSCRIBE
unsubscribe: UNSUBSCRIBE

acl|cat: ACL CAT
acl|deluser: ACL DELUSER nobody
acl|dryrun: ACL DRYRUN default PING
acl|genpass: ACL GENPASS 5
acl|getuser: ACL GETUSER default
acl|list: ACL LIST
acl|log: ACL LOG
acl|setuser: ACL SETUSER ada on nopass +get ~k*; ACL DELUSER ada
acl|users: ACL USERS
acl|whoami: ACL WHOAMI
token|create: TOKEN CREATE default EX 100
token|list: TOKEN LIST
token|revoke: TOKEN REVOKE 000000000000
acl|help: ACL HELP
auth: AUTH default x
client|getname: CLIENT SETNAME me; CLIENT GETNAME
client|getredir: CLIENT GETREDIR
client|help: CLIENT HELP
client|id: CLIENT ID
client|info: CLIENT INFO
client|kill: CLIENT KILL ID 999999
client|list: CLIENT LIST
client|no-evict: CLIENT NO-EVICT ON
client|no-touch: CLIENT NO-TOUCH ON
client|pause: CLIENT PAUSE 1 WRITE
client|reply: CLIENT REPLY ON
client|setinfo: CLIENT SETINFO LIB-NAME me
client|setname: CLIENT SETNAME me
client|tracking: CLIENT TRACKING OFF
client|trackinginfo: CLIENT TRACKINGINFO
client|unblock: CLIENT UNBLOCK 999999
client|unpause: CLIENT UNPAUSE
echo: ECHO hello
hello: HELLO 3 SETNAME me
ping: PING hello
quit: QUIT
reset: RESET
select: SELECT 1

command: COMMAND
command|count: COMMAND COUNT
command|docs: COMMAND DOCS get
command|getkeys: COMMAND GETKEYS MSET a 1 b 2
command|getkeysandflags: COMMAND GETKEYSANDFLAGS GET a
command|help: COMMAND HELP
command|info: COMMAND INFO get
command|list: COMMAND LIST FILTERBY PATTERN z*
config|get: CONFIG GET maxmemory
config|help: CONFIG HELP
config|resetstat: CONFIG RESETSTAT
config|set: CONFIG SET notify-keyspace-events KEA
debug: DEBUG SLEEP 0
info: INFO server
latency|doctor: LATENCY DOCTOR
latency|graph: CONFIG SET latency-monitor-threshold 1; SETRANGE s 20000000 x; LATENCY GRAPH command
latency|help: LATENCY HELP
latency|histogram: LATENCY HISTOGRAM get
latency|history: LATENCY HISTORY command
latency|latest: LATENCY LATEST
latency|reset: LATENCY RESET
lolwut: LOLWUT
memory|doctor: MEMORY DOCTOR
memory|help: MEMORY HELP
memory|malloc-stats: MEMORY MALLOC-STATS
memory|purge: MEMORY PURGE
memory|stats: MEMORY STATS
memory|usage: SET s x; MEMORY USAGE s
monitor: MONITOR
module|list: MODULE LIST
role: ROLE
save: DEBUG SLEEP 0.3; SAVE
bgsave: DEBUG SLEEP 0.3; BGSAVE
lastsave: LASTSAVE
slowlog|get: SLOWLOG GET
slowlog|help: SLOWLOG HELP
slowlog|len: SLOWLOG LEN
slowlog|reset: SLOWLOG RESET
time: TIME

break: LOCK l PX 1000; BREAK l
extend: LOCK l PX 1000; EXTEND 1000 l <token>
fenced: LOCK l PX 1000; FENCED l <token> SET s x
getentry: SET s x; GETENTRY s
lock: LOCK l PX 1000
leases: LEASES
locks: LOCKS
why: SET s x; WHY s
hotkeys: HOTKEYS
bratelimit: BRATELIMIT r 5 60
ratelimit: RATELIMIT r 5 60
namespace|drop: SELECT shop; SET s x; NAMESPACE DROP shop
namespace|help: NAMESPACE HELP
namespace|list: NAMESPACE LIST
namespace|stats: NAMESPACE STATS 0
unlock: LOCK l PX 1000; UNLOCK l <token>
"""


def _parse(lines: str) -> dict[str, list[Words]]:
    found: dict[str, list[Words]] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, _, calls = line.partition(": ")
        assert name not in found, f"{name} stands there twice"
        found[name] = [tuple(call.encode().split()) for call in calls.split("; ")]
    return found


LINES = _parse(_LINES)

OTHER_FORM = {
    "exec": "refuses words by itself, for then it also discards",
    "getset": "takes what SET takes",
    "zrank": "WITHSCORE since 7.2",
    "zrevrank": "WITHSCORE since 7.2",
    "sort_ro": "its patterns are no keys",
    "spublish": "a channel is no key",
    "ssubscribe": "a channel is no key",
    "sunsubscribe": "a channel is no key",
}
"""Commands of which COMMAND INFO tells another number of words or other places of keys, and why."""

REFUSED = {
    "acl|load": "there is no file of users",
    "acl|save": "there is no file of users",
    "asking": "there is no cluster",
    "cluster": "there is no cluster",
    "readonly": "there is no cluster",
    "readwrite": "there is no cluster",
}
"""Commands that Redis refuses as well where they have nothing to do, and why."""
