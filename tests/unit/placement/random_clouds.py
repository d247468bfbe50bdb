"""Small clouds and queries by the seed: trees, traits, aggregates, sharing, odd portions, and every form of query."""

import random
from collections.abc import Iterable, Iterator

from kilonova.placement.search.answer import Alone, Answer
from kilonova.placement.search.fleet import SHARES, Facts, Fleet, Stock
from kilonova.placement.search.query import Query
from kilonova.placement.shapes import Group
from unit.placement.oracle import Found
from unit.placement.placing import uuid_of

CLASSES = ("DISK_GB", "SRIOV_NET_VF", "VCPU")
TRAITS = ("COMPUTE_A", "COMPUTE_B", "HW_NIC")
AGGREGATES = (uuid_of(0xA1), uuid_of(0xA2), uuid_of(0xA3))


def cloud(draw: random.Random, most: int = 7) -> list[Facts]:
    """Some providers; parents come anywhere in the list."""
    size = draw.randint(1, most)
    trees, shares = draw.random() < 0.7, draw.random() < 0.5
    parents: dict[int, int | None] = {}
    for number in range(size):
        parents[number] = draw.randrange(number) if number and trees and draw.random() < 0.6 else None
    facts = [provider(draw, number, parents, shares=shares) for number in range(size)]
    draw.shuffle(facts)
    return facts


def provider(draw: random.Random, number: int, parents: dict[int, int | None], *, shares: bool) -> Facts:
    """One provider."""
    root = number
    while (above := parents[root]) is not None:
        root = above
    traits = {trait for trait in TRAITS if draw.random() < 0.4}
    if shares and draw.random() < 0.3:
        traits.add(SHARES)
    parent = parents[number]
    return Facts(
        uuid=uuid_of(number),
        name=f"provider-{number}",
        parent_uuid=None if parent is None else uuid_of(parent),
        root_uuid=uuid_of(root),
        stocks={name: stock(draw) for name in CLASSES if draw.random() < 0.7},
        traits=frozenset(traits),
        aggregates=frozenset(uuid for uuid in AGGREGATES if draw.random() < 0.35),
    )


def stock(draw: random.Random) -> Stock:
    """An inventory that is often nearly full or gives odd portions."""
    odd = draw.random() < 0.25
    return Stock(
        capacity=draw.choice((1, 4, 8, 8, 9)),
        used=draw.choice((0, 0, 0, 0, 1, 3, 9)),
        min_unit=draw.choice((1, 2)) if odd else 1,
        max_unit=draw.choice((2, 3)) if odd else 8,
        step_size=draw.choice((1, 2)) if odd else 1,
    )


def query(draw: random.Random) -> Query:
    """A request that the API would let through."""
    suffixes = draw.choice((("",), ("",), ("1",), ("", "1"), ("1", "2"), ("", "1", "_B"), ("1", "2", "3")))
    named = [suffix for suffix in suffixes if suffix]
    subtrees = tuple(
        frozenset(draw.sample(named, draw.randint(1, len(named))))
        for _ in range(draw.choice((0, 0, 0, 1, 2)) if named else 0)
    )
    together = frozenset[str]().union(*subtrees)
    groups = {suffix: group(draw, empty=suffix in together and draw.random() < 0.4) for suffix in suffixes}
    if not any(one.resources for one in groups.values()):
        groups[suffixes[0]] = group(draw, empty=False)
    root = draw.sample(TRAITS, draw.choice((0, 0, 0, 0, 0, 1, 2)))
    return Query(
        groups=groups,
        isolate=draw.random() < 0.4,
        same_subtree=subtrees,
        root_required=frozenset(root[:1]),
        root_forbidden=frozenset(root[1:]),
        nested=draw.random() < 0.9,
    )


def group(draw: random.Random, *, empty: bool) -> Group:
    """One group."""
    names = draw.sample(CLASSES, draw.choice((1, 1, 2, 3)))
    member_of, outside = list(_sets(draw, AGGREGATES, 0.15)), draw.random() < 0.1
    return Group(
        resources={} if empty else {name: draw.choice((1, 1, 1, 2, 2, 3, 4)) for name in names},
        required=tuple(_sets(draw, TRAITS, 0.2)),
        forbidden=frozenset(draw.sample(TRAITS, 1)) if draw.random() < 0.15 else frozenset(),
        member_of=tuple(member_of),
        not_member_of=frozenset(draw.sample(AGGREGATES, draw.randint(1, 2))) if outside else frozenset(),
        in_tree=uuid_of(draw.randrange(8)) if draw.random() < 0.08 else None,
    )


def _sets(draw: random.Random, names: tuple[str, ...], chance: float) -> Iterator[frozenset[str]]:
    while draw.random() < chance:
        yield frozenset(draw.sample(names, draw.choice((1, 1, 2))))


def fleet(facts: list[Facts]) -> Fleet:
    """The fleet of these providers."""
    made = Fleet()
    made.put_all(facts)
    return made


def found(fleet: Fleet, answers: Iterable[Answer]) -> list[Found]:
    """An answer, in its parts, in the oracle's words."""
    return [one for answer in answers for one in _found(fleet, answer)]


def _found(fleet: Fleet, answer: Answer) -> list[Found]:
    if isinstance(answer, Alone):
        return [
            (
                frozenset((fleet.uuids[row], name, amount) for name, amount in answer.resources.items()),
                frozenset({(answer.suffix, frozenset({fleet.uuids[row]}))}),
            )
            for row in answer.rows
        ]
    return [
        (
            frozenset(
                (fleet.uuids[row], name, amount)
                for row, held in one.allocations.items()
                for name, amount in held.items()
            ),
            frozenset((suffix, frozenset(fleet.uuids[row] for row in rows)) for suffix, rows in one.mappings.items()),
        )
        for one in answer.candidates
    ]
