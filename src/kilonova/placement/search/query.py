"""What is asked of `GET /allocation_candidates` (Placement API, "Allocation candidates"), whatever the version it is asked at."""

from collections.abc import Mapping

import msgspec

from kilonova.placement.shapes import Resources

UNNAMED = ""
"""The suffix of the group whose resources may come from several providers of one tree, and from those that share with it."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a query. All of a named group must come from one provider."""

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


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A whole request: groups by suffix, and what is asked of them together."""

    groups: Mapping[str, Group]
    isolate: bool = False
    """`group_policy=isolate`: each named group is given by a provider of its own."""
    same_subtree: tuple[frozenset[str], ...] = ()
    """Sets of suffixes: one of the providers that give those groups is an ancestor of all the others."""
    root_required: frozenset[str] = frozenset()
    """Traits that the root of the tree has, all of them."""
    root_forbidden: frozenset[str] = frozenset()
    """Traits that the root of the tree has none of."""
    limit: int | None = None
    """Most candidates; None for all."""
    nested: bool = True
    """False for clients that know no trees (before 1.29): no candidate takes from two providers of one tree."""

    @property
    def classes(self) -> set[str]:
        """Every resource class that is named."""
        return {name for group in self.groups.values() for name in group.resources}

    @property
    def traits(self) -> set[str]:
        """Every trait that is named."""
        of_groups = {name for group in self.groups.values() for name in group.forbidden.union(*group.required)}
        return of_groups | self.root_required | self.root_forbidden
