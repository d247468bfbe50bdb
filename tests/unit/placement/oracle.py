"""What candidates there are, by trying everything: simple, slow, and to be read beside the API's documentation.

For each root provider, every way to let each thing asked for come from any provider whatever is tried, and kept if no sentence
of the documentation forbids it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from kilonova.placement.search.fleet import Facts
from kilonova.placement.search.query import Query
from kilonova.placement.shapes import Group

SHARES = "MISC_SHARES_VIA_AGGREGATE"

Found = tuple[frozenset[tuple[str, str, int]], frozenset[tuple[str, frozenset[str]]]]
"""A candidate: what is taken (provider, class, amount), and which providers give each group."""
Wish = tuple[str, Mapping[str, int]]
"""A suffix, and what of its group must come from one provider."""


def candidates(providers: Sequence[Facts], query: Query) -> set[Found]:
    """Every candidate."""
    cloud = {one.uuid: one for one in providers}
    wishes = list(_wishes(query))
    found: set[Found] = set()
    for anchor in cloud.values():
        if anchor.parent_uuid is None and _root_is_right(anchor, query):
            for chosen in product(cloud.values(), repeat=len(wishes)):
                if _allowed(cloud, anchor, query, wishes, chosen):
                    found.add(_candidate(wishes, chosen))
    return found


def _wishes(query: Query) -> Iterator[Wish]:
    """The classes of the unnamed group may come from different providers; a named group comes from one."""
    for suffix, group in query.groups.items():
        if suffix:
            yield suffix, group.resources
        else:
            for name, amount in group.resources.items():
                yield suffix, {name: amount}


def _root_is_right(anchor: Facts, query: Query) -> bool:
    return query.root_required <= anchor.traits and not query.root_forbidden & anchor.traits


def _allowed(
    cloud: Mapping[str, Facts], anchor: Facts, query: Query, wishes: Sequence[Wish], chosen: Sequence[Facts]
) -> bool:
    pairs = list(zip(wishes, chosen, strict=True))
    return (
        all(_reachable(cloud, anchor, one) for one in chosen)
        and all(_gives(one, resources) for (_, resources), one in pairs)
        and all(_suits(cloud, anchor, query.groups[suffix], suffix, one) for (suffix, _), one in pairs)
        and _traits_together(query, pairs)
        and _sum_fits(pairs)
        and (not query.isolate or _isolated(pairs))
        and all(_one_subtree(cloud, suffixes, pairs) for suffixes in query.same_subtree)
        and (query.nested or len({one.root_uuid for one in chosen}) == len({one.uuid for one in chosen}))
    )


def _reachable(cloud: Mapping[str, Facts], anchor: Facts, one: Facts) -> bool:
    """It is in the anchor's tree, or it shares with a provider there."""
    if one.root_uuid == anchor.uuid:
        return True
    tree = [other for other in cloud.values() if other.root_uuid == anchor.uuid]
    return SHARES in one.traits and any(one.aggregates & other.aggregates for other in tree)


def _gives(one: Facts, resources: Mapping[str, int]) -> bool:
    for name, amount in resources.items():
        stock = one.stocks.get(name)
        if stock is None or stock.used + amount > stock.capacity:
            return False
        if amount < stock.min_unit or amount > stock.max_unit or amount % stock.step_size:
            return False
    return True


def _suits(cloud: Mapping[str, Facts], anchor: Facts, group: Group, suffix: str, one: Facts) -> bool:
    """Forbidden traits, aggregates and tree; of a named group also the required traits."""
    if group.forbidden & one.traits:
        return False
    if group.in_tree is not None:
        wanted = cloud.get(group.in_tree)
        if wanted is None or one.root_uuid != wanted.root_uuid:
            return False
        if not suffix and one.root_uuid != anchor.uuid:  # nothing from another tree
            return False
    if suffix:
        return (
            all(any_of & one.traits for any_of in group.required)
            and all(any_of & one.aggregates for any_of in group.member_of)
            and not group.not_member_of & one.aggregates
        )
    # An aggregate of the root spans its tree, but not what others share with it.
    member = all(any_of & one.aggregates for any_of in group.member_of)
    if one.root_uuid == anchor.uuid:
        member = member or all(any_of & anchor.aggregates for any_of in group.member_of)
    return member and not group.not_member_of & (one.aggregates | anchor.aggregates)


def _traits_together(query: Query, pairs: Sequence[tuple[Wish, Facts]]) -> bool:
    """The unnamed group's traits may be spread over the providers that give it."""
    if "" not in query.groups:
        return True
    traits = {trait for (suffix, _), one in pairs if not suffix for trait in one.traits}
    return all(any_of & traits for any_of in query.groups[""].required)


def _sum_fits(pairs: Sequence[tuple[Wish, Facts]]) -> bool:
    totals = _totals(pairs)
    stocks = {(one.uuid, name): one.stocks[name] for (_, resources), one in pairs for name in resources}
    return all(
        amount <= stocks[key].max_unit and stocks[key].used + amount <= stocks[key].capacity
        for key, amount in totals.items()
    )


def _totals(pairs: Sequence[tuple[Wish, Facts]]) -> dict[tuple[str, str], int]:
    totals: dict[tuple[str, str], int] = {}
    for (_, resources), one in pairs:
        for name, amount in resources.items():
            totals[one.uuid, name] = totals.get((one.uuid, name), 0) + amount
    return totals


def _isolated(pairs: Sequence[tuple[Wish, Facts]]) -> bool:
    named = [one.uuid for (suffix, _), one in pairs if suffix]
    return len(set(named)) == len(named)


def _one_subtree(cloud: Mapping[str, Facts], suffixes: frozenset[str], pairs: Sequence[tuple[Wish, Facts]]) -> bool:
    """One of the providers of these groups is above all others, or the only one."""
    uuids = {one.uuid for (suffix, _), one in pairs if suffix in suffixes}
    return any(all(top in _line(cloud, uuid) for uuid in uuids) for top in uuids)


def _line(cloud: Mapping[str, Facts], uuid: str | None) -> Iterator[str]:
    while uuid is not None:
        yield uuid
        uuid = cloud[uuid].parent_uuid


def _candidate(wishes: Sequence[Wish], chosen: Sequence[Facts]) -> Found:
    pairs = list(zip(wishes, chosen, strict=True))
    taken = frozenset((uuid, name, amount) for (uuid, name), amount in _totals(pairs).items())
    by_suffix: dict[str, set[str]] = {}
    for (suffix, _), one in pairs:
        by_suffix.setdefault(suffix, set()).add(one.uuid)
    return taken, frozenset((suffix, frozenset(uuids)) for suffix, uuids in by_suffix.items())
