"""Sets: members without order, without repetition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from kv_server.engine.effects.namespaces import NamespaceEffects
from kv_server.engine.rows import SET_ADD, SET_REMOVE
from kv_server.model.entry import SET
from kv_server.model.set import Set, add, add_all, few, has, remove, sample, which

__all__ = ["SetEffects"]


class SetEffects(NamespaceEffects):
    """What commands read and change about sets. A key that is absent is an empty set."""

    def set_at(self, key: bytes) -> Set | None:
        """For the reads below: commands get members, never the set itself."""
        found: Set | None = self.read(key, SET)
        return found

    def set_len(self, key: bytes) -> int:
        found = self.set_at(key)
        return len(found) if found is not None else 0

    def set_has(self, key: bytes, member: bytes) -> bool:
        found = self.set_at(key)
        return found is not None and has(found, member)

    def set_which(self, key: bytes, members: Sequence[bytes], there: bool) -> list[bytes]:
        """Those of *members*, each once, that are in the set; or, unless they are to be *there*, that are not."""
        found = self.set_at(key)
        names: Iterable[bytes] = members if len(members) == 1 else dict.fromkeys(members)
        if found is None:
            return [] if there else list(names)
        return which(found, names, there)

    def set_members(self, key: bytes) -> list[bytes]:
        found = self.set_at(key)
        return found.dump() if found is not None else []

    def set_page(self, key: bytes, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """A page of a walk over the members, and the cursor of the next."""
        found = self.set_at(key)
        return found.page(cursor, count) if found is not None else (0, [])

    def set_sample(self, key: bytes, count: int) -> list[bytes]:
        """*count* members at random, all different; all of them if there are no more."""
        found = self.set_at(key)
        if found is None:
            return []
        places = range(len(found))
        if count == 1:
            return found.picked([self.dice.choice(places)])
        return found.picked(sample(self.dice, places, min(count, len(found))))

    def set_draws(self, key: bytes, count: int) -> list[bytes]:
        """*count* members at random, each drawn from all of them."""
        found = self.set_at(key)
        return found.picked(self.dice.choices(range(len(found)), k=count)) if found is not None else []

    def set_common(self, keys: Sequence[bytes], most: int | None = None) -> list[bytes]:
        """The members that the sets at all of *keys* have, in the order of the smallest; at most *most*."""
        found = [self.set_at(key) for key in keys]
        sets = [each for each in found if each is not None]
        if len(sets) < len(found):
            return []
        sets.sort(key=len)
        common: Iterable[bytes] = sets[0]
        for each in sets[1:]:
            common = filter(each.__contains__, common)
        return list(islice(common, most))

    def set_union(self, keys: Sequence[bytes]) -> list[bytes]:
        """The members of all the sets at *keys*."""
        union: dict[bytes, None] = {}
        for found in [self.set_at(key) for key in keys]:
            if found is not None:
                union |= dict.fromkeys(found)
        return list(union)

    def set_rest(self, key: bytes, others: Sequence[bytes]) -> list[bytes]:
        """The members of the set at *key* that those at *others* do not have."""
        first, *rest = [self.set_at(each) for each in (key, *others)]
        members = list(first or ())
        for found in rest:
            if found is not None:
                members = found.which(members, False)
        return members

    def set_add(self, key: bytes, members: Sequence[bytes]) -> None:
        """Add *members*, none of which is there yet, to the set at *key*."""
        found: Set = self.open_collection(key, SET)
        self.effects.append((SET_ADD, key, members))
        self.close_collection(key, found, add(found, members[0]) if len(members) == 1 else add_all(found, members))

    def set_remove(self, key: bytes, members: Sequence[bytes]) -> None:
        """Take *members*, all of which are there, out of the set at *key*."""
        found: Set = self.open_collection(key, SET)
        self.effects.append((SET_REMOVE, key, members))
        if not few(len(members), len(found)):
            gone = found.remove_all(members, self.store.garbage)
        else:
            gone = 0
            for member in members:
                gone += remove(found, member)
        self.close_collection(key, found, -gone)
