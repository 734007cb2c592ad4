"""What kv answers otherwise than Redis on purpose: each class with its reason. docs/differences.md is made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.redis import excuses
from tests.redis.client import Words
from tests.redis.excuses import Case, always, stores

CLASSES_MAX = 40


class Difference(NamedTuple):
    """A class of allowed differences: what Redis does, what kv does, and why."""

    title: str
    redis: str
    kv: str
    why: str
    covers: Callable[[Case], bool] | None = None
    """Whether a case belongs to it. None: such replies are compared by a rule of agreement.py, or never asked for."""
    example: tuple[str, ...] = ()
    """Calls of which the last is answered otherwise: a test keeps the class honest."""
    after: Callable[[Sequence[Words]], bool] | None = None
    """Which calls must have come before."""
    harmless: Callable[[Case], bool] = lambda case: False
    """Whether such a call changes nothing on either server, so that the rest of a sequence can be compared."""

    def goes_on(self, case: Case) -> bool:
        return case.errors or self.harmless(case)


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "A word too many after LPOP and RPOP",
        "`wrong number of arguments` for these two, `syntax error` for SPOP, ZPOPMIN, SRANDMEMBER and their like",
        "`syntax error` for all whose last word may be left out",
        "which it is follows from the signature; there is no list of commands beside it",
        excuses.word_too_many,
        ("LPOP l 1 2",),
    ),
    Difference(
        "An option given twice",
        "takes some options twice; the last one counts, or none",
        "syntax error",
        "an option is a named argument, and a named argument has one value",
        excuses.repeated,
        ("SET s x XX XX",),
    ),
    Difference(
        "GETSET with options",
        "GETSET takes a key and a value",
        "GETSET takes all that SET takes",
        "SET with GET and GETSET are one command natively",
        excuses.more_options,
        ("GETSET s x NX",),
    ),
    Difference(
        "Redis 7.2",
        "7.0 knows no WITHSCORE of ZRANK, takes the least of all integers for a rank in LPOS, tells `UNBLOCKED` to who "
        "waits for a stream or group that is no longer there, and writes doubles with 17 digits: 0.10000000000000001",
        "as 7.2",
        "kv answers as 7.2; this table is checked against 7.0",
        excuses.since_7_2,
        ("ZRANK z m WITHSCORE",),
    ),
    Difference(
        "Databases have names",
        "`SELECT x` is an error",
        "SELECT and kin take a number from 0 to 15 or the name of a namespace",
        "namespaces are the server's, and both protocols reach them",
        excuses.named,
        ("SELECT shop",),
    ),
    Difference(
        "What spells a float",
        "reads `0x10` as 16, an empty bound as 0, and passes over blanks before a number",
        "not a valid float",
        "one form of numbers for every door",
        excuses.spelled_otherwise,
        ("ZADD z 0x10 m",),
        after=excuses.oddly_spelled,
    ),
    Difference(
        "INCRBYFLOAT is exact",
        "adds long doubles: 123456789.123 becomes 123456789.12299999999959255; what fits no double may fit",
        "adds decimals: what you add is what you get; what fits no double is refused",
        "values may be decimals natively, and both doors count alike",
        excuses.decimal,
        ("INCRBYFLOAT n 123456789.123",),
    ),
    Difference(
        "The last moment",
        "an expiry may lie 292 million years ahead",
        "an expiry beyond the year 9999 counts as the end of that year",
        "a moment must be a datetime natively",
        excuses.farthest,
        ("SET s x PXAT 9223372036854775807", "TTL s"),
        harmless=always,
    ),
    Difference(
        "The empty name and patterns",
        "no pattern but a single `*` fits a name of no octets",
        "every pattern that can be nothing fits it",
        "`**` means what `*` means",
        excuses.empty_name,
        ("RPUSH {} x", "KEYS **"),
        harmless=always,
    ),
    Difference(
        "Minus zero",
        "a large sorted set keeps the score -0 and shows it, a small one does not",
        "the score is 0",
        "equal scores look equal",
        excuses.minus_zero,
        ("ZADD z -0 " + "m" * 70, "ZSCORE z " + "m" * 70),
        harmless=always,
    ),
    Difference(
        "Ranges by name among other scores",
        "finds the ends of the range along the scores, wherever that leads",
        "finds them by name",
        "such ranges are defined only where all scores are equal",
        excuses.by_name_among_scores,
        ("ZADD z -1 r 0 m", "ZLEXCOUNT z - [n"),
        after=excuses.some_score,
    ),
    Difference(
        "Ranges by name with scores",
        "refuses ZRANGE with BYLEX and WITHSCORES",
        "shows the scores",
        "what a range finds has scores natively, whatever it was found by",
        excuses.scores_by_name,
        ("ZRANGE z - + BYLEX WITHSCORES",),
        harmless=always,
    ),
    Difference(
        "Searches around the globe",
        "a very large radius, or one over a pole or the antimeridian, misses places that are within it",
        "finds every place within the distance",
        "the distance decides; Redis's grid has no cells there",
        excuses.around,
        ("GEOADD g 2.349014 85.05112878 p", "GEORADIUS g 2.349014 -85.05112878 2000000 km"),
        after=excuses.at_the_edge,
        harmless=lambda case: not stores(case),
    ),
    Difference(
        "The octets of a HyperLogLog",
        "GET shows its sparse or dense form",
        "GET shows kv's form",
        "the form is not part of the commands; the counts are the same",
        excuses.estimator,
        ("PFADD h m", "GET h"),
    ),
    Difference(
        "Cursors",
        "takes any number for a cursor, also a negative or an empty one",
        "invalid cursor",
        "a cursor is a point in the order of the keys and comes from the reply before",
        excuses.unsigned,
        ("SCAN -1",),
        harmless=always,
    ),
    Difference(
        "Pages of a scan",
        "shows small collections at once, whatever COUNT says",
        "shows at most COUNT",
        "a cursor is a point in the order of the names' hashes, for tables of any size",
    ),
    Difference(
        "Which of two mistakes is told",
        "looks at keys between arguments (a wrong number on a key of another type is `WRONGTYPE`), and has bounds and "
        "words of its own for the numbers of some commands: `SCAN 0 COUNT 0` is a `syntax error`",
        "reads all arguments before it looks at a key, and numbers of one type have one text",
        "the signature of a command is its grammar, for every door; a call that cannot be read touches nothing",
        excuses.other_check_first,
        ("SET s x", "LINDEX s one"),
    ),
    Difference(
        "Arguments of a call on a key that is not there",
        "answers nil or 0 without reading the rest of the call",
        "refuses what it cannot read, whether the key exists or not",
        "a wrong call is wrong at the first try, not when there is data",
        excuses.unread,
        ("LINDEX absent one",),
        harmless=lambda case: not stores(case),
    ),
    Difference(
        "How values are kept",
        "OBJECT ENCODING, REFCOUNT, IDLETIME, FREQ and MEMORY USAGE tell of its own structures",
        "the commands are there and speak of kv's structures",
        "the structures are others",
    ),
    Difference(
        "Other words in an error",
        "has a text for each mistake of each command: `at least 1 input key is needed for 'zunion' command`",
        "begins with the same word, and has another text where no client depends on it: `numkeys should be greater "
        "than 0`",
        "errors about arguments come from the types of arguments, which are the same for all commands",
    ),
    Difference(
        "Names with NUL in error texts",
        "cuts the text there",
        "shows the whole name",
        "names may hold any octets",
        excuses.cut,
    ),
    Difference(
        "EXEC where it cannot be called",
        "prefixes every refusal of EXEC with `EXECABORT Transaction discarded because of:`",
        "tells a connection of RESP2 that listens to channels what it tells it of every other command",
        "there is no transaction that could be discarded",
        excuses.refused_exec,
        ("SUBSCRIBE a", "EXEC"),
    ),
    Difference(
        "Moves that would wait in a transaction",
        "answers BLMOVE with one null of RESP2 where its time is over, and with the other within a transaction",
        "has one answer for both",
        "a wait within a transaction is a wait whose time is over",
        excuses.other_null,
        ("MULTI", "BLMOVE a b LEFT LEFT 1", "EXEC"),
        harmless=always,
    ),
    Difference(
        "A login in a transaction",
        "checks the password of an AUTH or HELLO in it",
        "refuses it where there is a password to be checked",
        "that takes time on purpose, and everybody would have to wait for a transaction",
        excuses.late_login,
        ("MULTI", "AUTH me x", "EXEC"),
    ),
    Difference(
        "A key whose time is over",
        "DBSIZE counts it, and MEMORY USAGE tells of it, as long as it is not dropped",
        "there is no such key",
        "a key past its deadline is seen by nobody, whether or not it was dropped already",
        excuses.over,
        harmless=always,
    ),
    Difference(
        "HELLO that fails",
        "a name that HELLO gives to the connection stays where another of its words is wrong",
        "HELLO has changed nothing then",
        "a call that fails has changed nothing",
        excuses.half_greeted,
        ("HELLO 2 SETNAME me NOSUCH", "CLIENT GETNAME"),
        after=excuses.greeted,
        harmless=always,
    ),
    Difference(
        "BITFIELD SET of a number far too low",
        "with OVERFLOW SAT, stores the highest number of the field: its sum overflows on the way",
        "stores the lowest",
        "that is what saturation means",
        excuses.of_bits,
        ("BITFIELD a OVERFLOW SAT SET i16 1 -9223372036854775808", "BITCOUNT a"),
        after=excuses.far_too_low,
    ),
    Difference(
        "Messages and subscriptions of one transaction",
        "who begins to listen in a transaction does not hear what was published before in it",
        "hears it; who stops to listen in it hears nothing of it",
        "a message is part of its commit, and told with it",
        excuses.told_with_commit,
        harmless=always,
    ),
    Difference(
        "Waiting for what takes the place of something else",
        "a list or sorted set that SORT or ZUNIONSTORE stores in the place of another type wakes nobody",
        "it wakes who waits for it",
        "a call that waits is tried whenever one of its keys is touched",
        excuses.woken,
        after=excuses.stored,
    ),
    Difference(
        "What options make of an event",
        "tells ZADD INCR as `zincr`, ZMPOP as `zpopmin` or `zpopmax`, and consumers that XREADGROUP and XCLAIM make",
        "tells `zadd`, `zrem`, and only the consumers that XGROUP CREATECONSUMER makes",
        "an event has its name from the row of a commit and the command that wrote it; options are not kept",
        excuses.told_otherwise,
        harmless=always,
    ),
    Difference(
        "Like events in a row",
        "tells `set` twice for `MSET a 1 a 2`",
        "tells like events that follow each other on one key within a call once",
        "what a call changed is one commit, and notifications are made from commits",
        excuses.told_once,
        harmless=always,
    ),
    Difference(
        "The expiry that a key keeps",
        "SET with KEEPTTL tells `set`",
        "it tells `set` and `expire`",
        "the row of a commit that sets a key says when the key expires, not whether that is new",
        excuses.told_expiry,
        harmless=always,
    ),
    Difference(
        "Events of new and of missed keys",
        "tells `new` and `keymiss` if asked to by `n` and `m`",
        "takes both letters and tells neither",
        "a read leaves no row in a commit, and a row does not say whether its key is new",
        excuses.told_not,
        harmless=always,
    ),
    Difference(
        "What ACL says",
        "keeps SHA-256 of passwords, has categories of its own commands, and takes `+command|argument`",
        "keeps salted slow hashes, which ACL LIST and GETUSER show; has the categories `lock`, `namespace`, `rate` and "
        "`watch` beside those of Redis, and rules `ns=pattern`; `ACL SAVE` and `LOAD` are about the file of --users",
        "a hash that leaks should not be a password; what is served has names of its own",
        excuses.access,
        ("ACL CAT",),
        harmless=always,
    ),
    Difference(
        "Client-side caching",
        "CLIENT TRACKING tells a client what others change of the keys it has read",
        "refuses to be asked; WATCH of the native protocol tells every change of the keys one names",
        "what was read is not remembered; what is watched is",
        excuses.untracked,
        ("CLIENT TRACKING ON",),
    ),
    Difference(
        "COMMAND GETKEYS of what is no call",
        "finds keys in an XREAD with an odd number of words after STREAMS, and after each of two STOREs in a row",
        "the first has none, the second but one",
        "the keys of a line are found by the grammar of its command, as far as it can be read",
        excuses.no_call,
        ("COMMAND GETKEYS XREAD STREAMS a b 0",),
        harmless=always,
    ),
    Difference(
        "COMMAND GETKEYSANDFLAGS",
        "tells apart whether a key is inserted into, deleted, overwritten",
        "tells whether it may be changed",
        "that is what a signature says of a key, and what permissions go by",
        excuses.flags_of_keys,
        ("COMMAND GETKEYSANDFLAGS SET a 1",),
        harmless=always,
    ),
    Difference(
        "DEBUG SLEEP",
        "stops the server",
        "lets the connection wait that asked for it",
        "nothing that one client asks for stops the others",
    ),
    Difference(
        "What CONFIG, INFO, COMMAND DOCS and HELP say",
        "speak of its own settings, figures and words",
        "CONFIG GET has the settings that clients look for, INFO the sections and figures that exist here, and the "
        "other two are made from kv's own declarations",
        "the answers of a server are true of that server",
    ),
    Difference(
        "Commands that are not there",
        "has scripts, functions, modules and replication",
        "unknown command",
        "a command that is there does what it says; there are none that only look as if",
    ),
)


def allowed(case: Case, before: Sequence[Words] = ()) -> Difference | None:
    """The class to which *case* belongs, after the calls *before* it."""
    if not case.words:
        return None
    for each in DIFFERENCES:
        if each.covers is not None and (each.after is None or each.after([*before, case.words])) and each.covers(case):
            return each
    return None
