"""Capacity: what the whole cloud has and has given, as operators look at it, and whether placement's books are in order.

Placement knows no hosts and hosts know no allocations; here the two are put side by side.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from kilonova.operations.auditor import Auditor
from kilonova.operations.findings import Orphan
from kilonova.operations.work import Parts
from kilonova.placement.books import Described, Discrepancy, Given
from kilonova.placement.names import in_order
from kilonova.placement.search.trees import SPLIT
from kilonova.placement.shapes import Provider

HOTTEST = 10
"""How many of the fullest hosts are shown."""
NOWHERE = "-"
"""The zone and cell of providers that are no host's."""


@dataclass(frozen=True)
class Place:
    """Where a host is."""

    host: str
    cell: str
    zone: str


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What of one resource class is there and given, in the cloud, a zone or a cell."""

    name: str
    """Of the zone or cell; empty for the cloud."""
    resource_class: str
    providers: int
    capacity: int
    used: int
    percent: float
    """Of the capacity; 0 where there is none."""


class Hot(msgspec.Struct, frozen=True, kw_only=True):
    """A host, and the class of which it has given the largest part."""

    host: str
    cell: str
    zone: str
    resource_class: str
    capacity: int
    used: int
    percent: float


class Utilisation(msgspec.Struct, frozen=True, kw_only=True):
    """What is given of what there is."""

    classes: Sequence[Share]
    zones: Sequence[Share]
    cells: Sequence[Share]
    hottest: Sequence[Hot]
    unanswered: Sequence[str]
    """Hosts of cells that don't answer: they count as no host's."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What is not as it should be. Only the first two must never be."""

    consumers_without_owner: Sequence[Orphan]
    unbalanced: Sequence[Discrepancy]
    """Inventories that say something else than their allocations add up to."""
    beyond_capacity: Sequence[Discrepancy]
    providers_without_host: Sequence[Provider]
    """Roots of trees; those of hosts that are away for a while are not among them."""

    @property
    def in_order(self) -> bool:
        """Whether nothing is there that must never be."""
        return not self.consumers_without_owner and not self.unbalanced


class Capacity:
    """Answers operators."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of this process."""
        self._parts = parts

    async def utilisation(self) -> Utilisation:
        """What is given of what there is. Raises `Unavailable`."""
        hosts = await self._parts.hosts.all()
        cells = {cell.id: cell.record.name for cell in self._parts.cells.all}
        zones = await self._parts.snapshots.zones(hosts)
        places = {host.uuid: Place(host.name, cells[host.cell_id], zones[host.name]) for host in hosts}
        given = await self._parts.placement.given()
        return utilisation(given, places, await self._parts.hosts.unanswered())

    async def audit(self) -> Audit:
        """Look for what should not be. Raises `Unavailable` when it can't be said, because a cell doesn't answer."""
        orphans = await Auditor(self._parts).consumers()
        books = await self._parts.placement.books()
        known = {host.uuid for host in await self._parts.hosts.all()}
        away = set(await self._parts.hosts.unanswered())
        return Audit(
            consumers_without_owner=orphans,
            unbalanced=books.unbalanced,
            beyond_capacity=books.beyond,
            providers_without_host=[one for one in books.roots if one.uuid not in known and one.name not in away],
        )

    async def tree(self, name: str) -> Sequence[Described]:
        """The tree of providers that a host, or the provider with this UUID or name, is in. Raises `NoSuchProvider`."""
        return await self._parts.placement.tree(name)


def utilisation(given: Sequence[Given], places: Mapping[str, Place], unanswered: Sequence[str]) -> Utilisation:
    """Add inventories up; `places` are those of hosts, by the root provider of each."""
    nowhere = Place(NOWHERE, NOWHERE, NOWHERE)
    placed = [(places.get(one.root, nowhere), one) for one in given]
    own = [(places[one.root], one) for one in _by_tree(given) if one.root in places]
    return Utilisation(
        classes=_shares(("", one) for one in given),
        zones=_shares((place.zone, one) for place, one in placed),
        cells=_shares((place.cell, one) for place, one in placed),
        hottest=_hottest(own),
        unanswered=unanswered,
    )


def _shares(given: Iterable[tuple[str, Given]]) -> list[Share]:
    by_name: dict[str, dict[str, list[Given]]] = {}
    for name, one in given:
        by_name.setdefault(name, {}).setdefault(one.resource_class, []).append(one)
    return [
        _share(name, kind, classes[kind]) for name, classes in sorted(by_name.items()) for kind in in_order(classes)
    ]


def _share(name: str, resource_class: str, given: Sequence[Given]) -> Share:
    capacity, used = sum(one.capacity for one in given), sum(one.used for one in given)
    return Share(
        name=name,
        resource_class=resource_class,
        providers=len(given),
        capacity=capacity,
        used=used,
        percent=_percent(used, capacity),
    )


def _by_tree(given: Sequence[Given]) -> list[Given]:
    """What roots have themselves, and all CPUs and memory of a tree as one inventory of its root; devices are left out."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for one in given:
        if one.provider != one.root and one.resource_class not in SPLIT:
            continue
        capacity, used = sums.get((one.root, one.resource_class), (0, 0))
        sums[one.root, one.resource_class] = (capacity + one.capacity, used + one.used)
    return [
        Given(provider=root, root=root, resource_class=name, capacity=capacity, used=used)
        for (root, name), (capacity, used) in sums.items()
    ]


def _hottest(own: Iterable[tuple[Place, Given]]) -> list[Hot]:
    """Hosts by the class that they have given most of."""
    fullest: dict[str, tuple[float, Place, Given]] = {}
    for place, one in own:
        percent = _percent(one.used, one.capacity)
        if place.host not in fullest or percent > fullest[place.host][0]:
            fullest[place.host] = (percent, place, one)
    ranked = sorted(fullest.values(), key=lambda found: (-found[0], found[1].host))
    return [
        Hot(
            host=place.host,
            cell=place.cell,
            zone=place.zone,
            resource_class=one.resource_class,
            capacity=one.capacity,
            used=one.used,
            percent=percent,
        )
        for percent, place, one in ranked[:HOTTEST]
        if one.used
    ]


def _percent(used: int, capacity: int) -> float:
    return round(100 * used / capacity, 1) if capacity > 0 else 0.0
