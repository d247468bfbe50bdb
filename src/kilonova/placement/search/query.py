"""What is asked of `GET /allocation_candidates` (Placement API, "Allocation candidates"), whatever the version it is asked at."""

from collections.abc import Mapping

import msgspec

from kilonova.placement.shapes import Group

UNNAMED = ""
"""The suffix of the group whose resources may come from several providers of one tree, and from those that share with it."""


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
    apart: frozenset[str] = frozenset()
    """Suffixes of named groups that are given by different providers even without `isolate`. Of equal ones among them only one
    order is found."""
    split: frozenset[str] = frozenset()
    """Classes of which the unnamed group may take from several providers of the tree. With any, the unnamed group is asked of
    the tree as a whole: its traits may be the root's. Not part of the API."""
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
