"""Why there are no more candidates: what each condition of a query removed.

A query is built up again condition by condition, and after each it is seen in which trees there still is a candidate. So a
removal means that nothing in the tree, taken together with all that was asked for before, meets the condition. In a flat cloud
a tree is a provider. Asked after a "no" only: it costs a search for each condition.
"""

from collections.abc import Iterator

import msgspec

from kilonova.placement.search import combining, matching
from kilonova.placement.search.bits import Bits, rows_of
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.query import UNNAMED, Query
from kilonova.placement.shapes import Group


class Removed(msgspec.Struct, frozen=True):
    """A condition, and how many trees have no candidate because of it."""

    constraint: str
    """E.g. `VCPU: 4`, `group _NIC: trait HW_NIC_SRIOV`, `groups 1 and 2 in one subtree`."""
    count: int
    example: str
    """UUID of the root of one of them."""


def removed(fleet: Fleet, query: Query) -> list[Removed]:
    """What removed trees, in the order of the query's conditions. Those that removed none are left out."""
    left = fleet.root_rows
    found: list[Removed] = []
    for constraint, part in stages(query):
        still = anchors(fleet, part)
        gone = left & ~still
        if gone:
            found.append(Removed(constraint, gone.bit_count(), fleet.uuids[next(rows_of(gone))]))
        left &= still
    return found


def anchors(fleet: Fleet, query: Query, among: int | None = None) -> int:
    """The roots of the trees that have a candidate; only those in the mask `among`, if it is given."""
    if not query.groups:
        return combining.anchors_of(fleet, query)
    if not fleet.nested and not fleet.sharing and len(query.groups) == 1 and not query.split:
        return matching.matching(fleet, next(iter(query.groups.values()))) & combining.anchors_of(fleet, query)
    bits = Bits()
    for anchor, found in combining.by_anchor(fleet, query, among):
        if next(found, None) is not None:
            bits.add(anchor)
    return bits.mask


def stages(query: Query) -> Iterator[tuple[str, Query]]:
    """Each condition in words, with the query that asks for it and for all before it; the last asks for everything."""
    part = Query(groups={}, split=query.split)
    for trait in sorted(query.root_required):
        part = msgspec.structs.replace(part, root_required=part.root_required | {trait})
        yield f"trait {trait} of the root", part
    if query.root_forbidden:
        part = msgspec.structs.replace(part, root_forbidden=query.root_forbidden)
        yield f"not trait {' nor '.join(sorted(query.root_forbidden))} of the root", part
    for suffix, group in sorted(query.groups.items()):
        where = f"group {suffix}: " if suffix != UNNAMED else ""
        for constraint, built in _of_group(group):
            part = msgspec.structs.replace(part, groups={**part.groups, suffix: built})
            yield where + constraint, part
    yield from _together(query, part)


def _of_group(group: Group) -> Iterator[tuple[str, Group]]:
    built = Group()
    if not group.resources:
        yield "a provider", built
    for name in sorted(group.resources):
        built = msgspec.structs.replace(built, resources={**built.resources, name: group.resources[name]})
        yield f"{name}: {group.resources[name]}", built
    if group.in_tree is not None:
        built = msgspec.structs.replace(built, in_tree=group.in_tree)
        yield f"tree of {group.in_tree}", built
    for any_of in group.required:
        built = msgspec.structs.replace(built, required=(*built.required, any_of))
        yield f"trait {' or '.join(sorted(any_of))}", built
    if group.forbidden:
        built = msgspec.structs.replace(built, forbidden=group.forbidden)
        yield f"not trait {' nor '.join(sorted(group.forbidden))}", built
    for any_of in group.member_of:
        built = msgspec.structs.replace(built, member_of=(*built.member_of, any_of))
        yield f"aggregate {' or '.join(sorted(any_of))}", built
    if group.not_member_of:
        built = msgspec.structs.replace(built, not_member_of=group.not_member_of)
        yield f"not aggregate {' nor '.join(sorted(group.not_member_of))}", built


def _together(query: Query, part: Query) -> Iterator[tuple[str, Query]]:
    """What is asked of all groups."""
    if query.isolate:
        part = msgspec.structs.replace(part, isolate=True)
        yield "a provider of its own for each named group", part
    if query.apart:
        part = msgspec.structs.replace(part, apart=query.apart)
        yield f"different providers for the groups {' and '.join(sorted(query.apart))}", part
    for suffixes in query.same_subtree:
        part = msgspec.structs.replace(part, same_subtree=(*part.same_subtree, suffixes))
        yield f"groups {' and '.join(sorted(suffixes))} in one subtree", part
    if not query.nested:
        part = msgspec.structs.replace(part, nested=False)
        yield "no two providers of one tree", part
