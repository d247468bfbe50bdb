"""What placement speaks about: providers, inventories, queries, claims and their answers."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID, uuid5

import msgspec

MAX_UNIT = 2**31 - 1
"""Largest amount of anything (Placement API: the bound of `total`, `max_unit` and the others)."""

Resources = Mapping[str, int]
"""Amounts by resource class."""
Allocations = Mapping[str, Resources]
"""Amounts by provider UUID and resource class."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one resource class a provider has, and in which portions it gives it (Placement API, "Inventories")."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = MAX_UNIT
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """The most that all consumers together may hold."""
        return int((self.total - self.reserved) * self.allocation_ratio)


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as whoever reports it wants it to be."""

    uuid: str
    name: str
    inventories: Mapping[str, Inventory]
    traits: frozenset[str] = frozenset()
    """Names; those that others gave the provider stay besides them."""
    parent: str | None = None
    """UUID of the provider right above it; None for a root. One with a parent has the UUID that `child_uuid` says."""


def child_uuid(root: str, name: str) -> str:
    """The UUID of a provider that whoever reports a root tells of below it: by it those are known from what others put there."""
    return str(uuid5(UUID(root), name))


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One resource provider (Placement API, "Resource providers")."""

    uuid: str
    name: str
    generation: int
    parent_uuid: str | None
    root_uuid: str
    updated_at: float


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """Providers that can give what was asked for, in columns: the n-th value of each is about the n-th provider."""

    uuids: tuple[str, ...]
    names: tuple[str, ...]
    capacity: Mapping[str, tuple[int, ...]]
    """By each class asked for."""
    used: Mapping[str, tuple[int, ...]]
    """By each class asked for."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of providers: conditions that all hold for one and the same, but for the unnamed group of a `Query`."""

    resources: Resources = {}
    """What must be free, in portions that are given. Only a named group in a `same_subtree` may ask for nothing."""
    required: tuple[frozenset[str], ...] = ()
    """Traits: at least one of each set. Those of the unnamed group are asked of its providers taken together."""
    forbidden: frozenset[str] = frozenset()
    """Traits: no provider has any of these."""
    member_of: tuple[frozenset[str], ...] = ()
    """Aggregates: in at least one of each set. For the unnamed group it is enough that the root of the tree is."""
    not_member_of: frozenset[str] = frozenset()
    """Aggregates: in none of these. For the unnamed group neither is the root of the tree."""
    in_tree: str | None = None
    """A provider from whose tree all of it comes."""


class CandidateQuery(Group, frozen=True, kw_only=True):
    """Which roots are wanted: those that can give everything themselves, or together with what is below them.

    What is asked outside of groups is asked of a tree as a whole: CPUs and memory may come from several of its providers, and
    traits may be its root's.
    """

    alternatives: tuple[Mapping[str, Group], ...] = ()
    """Named groups by suffix, each given by one provider; of several such sets the first that can be had counts."""
    isolate: bool = False
    """Whether each named group is given by a provider of its own."""
    apart: frozenset[str] = frozenset()
    """Suffixes of groups that are given by different providers in any case."""
    same_subtree: tuple[frozenset[str], ...] = ()
    """Sets of suffixes: one of the providers that give those groups is an ancestor of all the others."""
    uuid: str | None = None
    name: str | None = None
    limit: int | None = None
    """Most answers; None for all."""

    @property
    def classes(self) -> set[str]:
        """Every resource class that is named."""
        named = {name for groups in self.alternatives for group in groups.values() for name in group.resources}
        return named.union(self.resources)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a tree can give what was asked for."""

    allocations: dict[str, dict[str, int]]
    """By provider UUID and class."""
    groups: dict[str, tuple[str, ...]]
    """By suffix, the names of the providers that give the group."""


class Elimination(msgspec.Struct, frozen=True):
    """One condition of a query, and the providers that fail it and none of those before."""

    constraint: str
    """E.g. `VCPU: 4`, `trait HW_CPU_X86_AVX2`."""
    providers: frozenset[str]


class SpreadSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set of consumers whose placement depends on each other, known to placement by its id only."""

    id: str
    provider: str
    """The provider of this claim that the rule counts."""
    most: int | None
    """Most members on one provider; None: all members on the same provider, however many."""

    @property
    def slot(self) -> str:
        """Where this member is counted: one slot a provider, or one for the whole set."""
        return "" if self.most is None else self.provider


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one consumer shall hold from now on, in place of what it holds."""

    consumer: str
    generation: int | None
    """The consumer's generation as last read; None when it was never heard of."""
    allocations: Allocations
    project_id: str
    user_id: str
    consumer_type: str | None = None
    """The Placement API's consumer type; None is shown as `unknown`."""
    spread: SpreadSet | None = None
    """The set it is a member of. With None a member stays in its set as long as it stays on that provider."""


class Claimed(msgspec.Struct, frozen=True):
    """The claim holds."""

    generation: int
    """The consumer's generation now."""
    replayed: bool = False
    """True when it held already: the same claim was made before and its answer was lost."""


class Full(msgspec.Struct, frozen=True):
    """A provider can't give what was claimed; nothing was changed."""

    provider: str
    resource_class: str
    reason: str
    cause: Literal["inventory", "portions", "room"]
    """It has none of the class, doesn't give such portions, or has too little left."""


class Crowded(msgspec.Struct, frozen=True):
    """The rule of the spread set doesn't allow this provider; nothing was changed."""

    set_id: str
    provider: str


class Stale(msgspec.Struct, frozen=True):
    """The consumer has another generation: somebody acted in between. Nothing was changed."""

    current: int | None
    """None when it was never heard of."""


class Released(msgspec.Struct, frozen=True):
    """The consumer holds nothing, and no claim with an older generation will succeed."""

    generation: int


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds allocations, or held some."""

    uuid: str
    generation: int
    project_id: str | None
    user_id: str | None
    consumer_type: str | None
    set_id: str | None
    set_slot: str | None
    set_provider: str | None
    updated_at: float
