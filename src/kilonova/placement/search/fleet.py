"""What is known of every provider, in memory, laid out for searching.

Design notes. A provider has a row, in the order in which the fleet heard of it; what providers have in common (a trait, an
aggregate, room for so many of a class) is a set of rows. Which rows have room for an amount is remembered for the amounts asked
for lately, and kept up with every change, so that a search costs what it finds. A row that became free stays empty until half
of them are, and then the fleet is loaded anew.
"""

from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from kilonova.placement.search.bits import Bits, rows_of

H = TypeVar("H", bound=Hashable)

SHARES = "MISC_SHARES_VIA_AGGREGATE"
"""The trait of providers whose resources may be used together with those of any provider in one of their aggregates."""

CHANGES_MAX = 65536
"""Most changes that are remembered for those who follow a fleet."""
AMOUNTS_MAX = 64
"""Most amounts of one class whose rows are remembered."""


class Stock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of one class a provider has, has given, and in which portions it gives it."""

    capacity: int
    used: int
    min_unit: int
    max_unit: int
    step_size: int

    def gives(self, amount: int) -> bool:
        """Whether it would give `amount` now."""
        return (
            amount <= self.capacity - self.used
            and self.min_unit <= amount <= self.max_unit
            and amount % self.step_size == 0
        )


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One provider as the database has it."""

    uuid: str
    name: str
    parent_uuid: str | None
    root_uuid: str
    stocks: Mapping[str, Stock]
    """By resource class."""
    traits: frozenset[str]
    aggregates: frozenset[str]


class Shelf:
    """One resource class: who has it, and who has room for how much of it."""

    __slots__ = ("_room", "stocks")

    def __init__(self) -> None:
        """Begin with nobody."""
        self.stocks: dict[int, Stock] = {}
        """By row."""
        self._room: dict[int, Bits] = {}

    def put(self, row: int, stock: Stock | None) -> None:
        """Let a row have this, or nothing, from now on."""
        if stock is None:
            self.stocks.pop(row, None)
        else:
            self.stocks[row] = stock
        for amount, bits in self._room.items():
            if stock is not None and stock.gives(amount):
                bits.add(row)
            else:
                bits.discard(row)

    def remembers(self, amount: int) -> bool:
        """Whether `room` costs nothing."""
        return amount in self._room

    def room(self, amount: int) -> int:
        """The rows that would give `amount`."""
        bits = self._room.pop(amount, None)
        if bits is None:
            bits = Bits()
            for row, stock in self.stocks.items():
                if stock.gives(amount):
                    bits.add(row)
            if len(self._room) >= AMOUNTS_MAX:
                del self._room[next(iter(self._room))]
        self._room[amount] = bits  # the last asked for is the last to be forgotten
        return bits.mask


class Fleet:
    """All providers. Whoever changes it does so between two searches."""

    def __init__(self) -> None:
        """Begin with none."""
        self.row_of: dict[str, int] = {}
        self.uuids: list[str] = []
        self.names: list[str] = []
        self.parents: list[str | None] = []
        self.roots: list[str] = []
        """Of each row the UUID of its tree's root."""
        self.traits_of: list[frozenset[str]] = []
        self.aggregates_of: list[frozenset[str]] = []
        self.classes_of: list[tuple[str, ...]] = []
        self.there = Bits()
        self.shelves: dict[str, Shelf] = {}
        self.fragments: dict[int, str] = {}
        """What a rendering keeps of a row; forgotten when the row changes."""
        self._traits: dict[str, Bits] = {}
        self._aggregates: dict[str, Bits] = {}
        self._trees: dict[str, dict[int, None]] = {}
        self._below = Bits()
        self._sharers: dict[int, list[int]] | None = None
        self._alike: dict[Hashable, Hashable] = {}
        self._changed = array("I")
        """The rows that were put or removed, the latest last."""
        self._forgotten = 0
        """How many changes came before those."""

    # --- changes -----------------------------------------------------------------------------------------------------

    def put(self, facts: Facts) -> None:
        """Let a provider be as `facts` say."""
        row = self.row_of.get(facts.uuid)
        if row is None:
            row = self._new_row(facts.uuid)
        self._note(row)
        self.fragments.pop(row, None)
        self.names[row] = facts.name
        self._place(row, facts.parent_uuid, facts.root_uuid)
        self._mark(row, self._traits, self.traits_of, facts.traits)
        self._mark(row, self._aggregates, self.aggregates_of, facts.aggregates)
        for name in self.classes_of[row]:
            if name not in facts.stocks:
                self.shelves[name].put(row, None)
        for name, stock in facts.stocks.items():
            self.shelves.setdefault(name, Shelf()).put(row, self._slim(stock))
        self.classes_of[row] = self._shared(tuple(facts.stocks))

    def put_all(self, facts: Iterable[Facts]) -> None:
        """`put` for many."""
        for one in facts:
            self.put(one)

    def use(self, uuid: str, amounts: Mapping[str, int]) -> None:
        """Let so much of a provider be used, by class; nothing else of it has changed. What isn't known is left out."""
        row = self.row_of.get(uuid)
        if row is None:
            return
        self._note(row)
        self.fragments.pop(row, None)
        for name, used in amounts.items():
            shelf = self.shelves.get(name)
            stock = None if shelf is None else shelf.stocks.get(row)
            if shelf is not None and stock is not None and stock.used != used:
                shelf.put(row, msgspec.structs.replace(stock, used=used))

    def remove(self, uuid: str) -> None:
        """Forget a provider, if it is known."""
        row = self.row_of.pop(uuid, None)
        if row is None:
            return
        self._note(row)
        self.fragments.pop(row, None)
        self._mark(row, self._traits, self.traits_of, frozenset())
        self._mark(row, self._aggregates, self.aggregates_of, frozenset())
        for name in self.classes_of[row]:
            self.shelves[name].put(row, None)
        self._leave(row)
        self.classes_of[row] = ()
        self.there.discard(row)

    def _note(self, row: int) -> None:
        if len(self._changed) >= CHANGES_MAX:
            del self._changed[: CHANGES_MAX // 2]
            self._forgotten += CHANGES_MAX // 2
        self._changed.append(row)

    def _new_row(self, uuid: str) -> int:
        row = len(self.uuids)
        self.row_of[uuid] = row
        self.uuids.append(uuid)
        self.names.append("")
        self.parents.append(None)
        self.roots.append("")
        self.traits_of.append(frozenset())
        self.aggregates_of.append(frozenset())
        self.classes_of.append(())
        self.there.add(row)
        return row

    def _place(self, row: int, parent: str | None, root: str) -> None:
        """Let a row be in the tree of `root` below `parent`."""
        if self.parents[row] == parent and self.roots[row] == root:
            return
        self._leave(row)
        own = self.uuids[row]
        self.parents[row] = parent
        self.roots[row] = own if root == own else root
        if parent is not None:
            self._below.add(row)
        if root != own:
            self._trees.setdefault(root, {})[row] = None

    def _leave(self, row: int) -> None:
        self._below.discard(row)
        tree = self._trees.get(self.roots[row])
        if tree is not None:
            tree.pop(row, None)
            if not tree:
                del self._trees[self.roots[row]]
        self.parents[row] = None
        self.roots[row] = ""
        self._sharers = None

    def _mark(self, row: int, bits: dict[str, Bits], of: list[frozenset[str]], now: frozenset[str]) -> None:
        """Let a row have exactly the traits, or the aggregates, `now`."""
        before = of[row]
        if before == now:
            return
        for name in sorted(before - now):
            bits[name].discard(row)
        for name in sorted(now - before):
            bits.setdefault(name, Bits()).add(row)
        of[row] = self._shared(now)
        self._sharers = None

    def _shared(self, value: H) -> H:
        """The first value that was equal to this one: hosts are alike, and a hundred thousand of them keep one copy."""
        return self._alike.setdefault(value, value)  # type: ignore[return-value] # it is equal, so of the same kind

    def _slim(self, stock: Stock) -> Stock:
        """An equal stock that shares what it can with others: all of it where nothing is used, else its numbers."""
        if not stock.used:
            return self._shared(stock)
        unused = self._shared(msgspec.structs.replace(stock, used=0))
        return msgspec.structs.replace(unused, used=stock.used)

    # --- questions ---------------------------------------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """How many changes there were."""
        return self._forgotten + len(self._changed)

    def changed_since(self, changes: int) -> Sequence[int] | None:
        """The rows that were changed after so many changes, in order; None when that is too long ago to tell."""
        return self._changed[changes - self._forgotten :] if changes >= self._forgotten else None

    @property
    def nested(self) -> bool:
        """Whether any provider has a parent."""
        return self._below.mask != 0

    @property
    def root_rows(self) -> int:
        """The rows without a parent."""
        return self.there.mask & ~self._below.mask

    @property
    def tree_roots(self) -> int:
        """The rows with others below them."""
        bits = Bits()
        for root in self._trees:
            if root in self.row_of:
                bits.add(self.row_of[root])
        return bits.mask & self.root_rows

    @property
    def sharing(self) -> int:
        """The rows that share through their aggregates."""
        return self.with_trait(SHARES)

    def with_trait(self, trait: str) -> int:
        """The rows that have a trait."""
        bits = self._traits.get(trait)
        return 0 if bits is None else bits.mask

    def in_aggregate(self, aggregate: str) -> int:
        """The rows in an aggregate."""
        bits = self._aggregates.get(aggregate)
        return 0 if bits is None else bits.mask

    def knows(self, classes: Iterable[str], traits: Iterable[str]) -> bool:
        """Whether providers have all of these, which proves that the names exist."""
        return all(name in self.shelves and self.shelves[name].stocks for name in classes) and all(
            map(self.with_trait, traits)
        )

    def has_children(self, uuid: str) -> bool:
        """Whether a root has others below it."""
        return uuid in self._trees

    def root_row(self, row: int) -> int:
        """The row of the root of a row's tree."""
        return self.row_of[self.roots[row]]

    def tree(self, root: int) -> Iterable[int]:
        """The rows of a tree, its root first."""
        below = self._trees.get(self.uuids[root])
        return (root,) if below is None else (root, *below)

    def sharers(self, root: int) -> Sequence[int]:
        """The rows outside a tree that share with a provider in it."""
        if self._sharers is None:
            self._sharers = {}
            for sharer in rows_of(self.sharing):
                for anchor in self.anchors(sharer)[1:]:
                    self._sharers.setdefault(anchor, []).append(sharer)
        return self._sharers.get(root, ())

    def anchors(self, row: int) -> list[int]:
        """The roots of the trees that may use a row: its own first, then, if it shares, those of its aggregates."""
        own = self.root_row(row)
        if SHARES not in self.traits_of[row]:
            return [own]
        mask = 0
        for aggregate in self.aggregates_of[row]:
            mask |= self.in_aggregate(aggregate)
        roots = dict.fromkeys([own])
        roots.update(dict.fromkeys(self.root_row(member) for member in rows_of(mask)))
        return list(roots)
