"""Random claims and releases against a model of a few dictionaries."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claimed, Crowded, Full, Inventory, ProviderSpec, Released, SpreadSet, Stale
from unit.placement.placing import MemoryDatabase, claim, uuid_of

CAPACITY = {1: 5, 2: 3}
MOST = 2

steps = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.dictionaries(st.sampled_from(sorted(CAPACITY)), st.integers(1, 4), min_size=1, max_size=2),
        st.integers(-1, 1),
        st.sampled_from(["claim", "claim", "claim in set", "release", "release anyway"]),
    ),
    max_size=25,
)


class Model:
    """What must hold, said with dictionaries."""

    def __init__(self) -> None:
        self.generation: dict[str, int] = {}
        self.held: dict[str, dict[int, int]] = {}
        self.member: dict[str, int] = {}

    def claim(self, consumer: str, generation: int | None, wanted: dict[int, int], *, in_set: bool) -> type:
        current = self.generation.get(consumer)
        place = min(wanted, default=0) if in_set else None
        same = wanted == self.held.get(consumer) and place in {None, self.member.get(consumer)}
        if same and current == (generation or 0) + 1:
            return Claimed
        if current != generation:
            return Stale
        before = self.held.get(consumer, {})
        for provider, amount in wanted.items():
            others = sum(held.get(provider, 0) for other, held in self.held.items() if other != consumer)
            if amount > before.get(provider, 0) and others + amount > CAPACITY[provider]:
                return Full
        others = sum(where == place for who, where in self.member.items() if who != consumer)
        if place is not None and self.member.get(consumer) != place and others >= MOST:
            return Crowded
        if place is not None:
            self.member[consumer] = place
        elif self.member.get(consumer) not in wanted:
            self.member.pop(consumer, None)
        self.held[consumer] = wanted
        self.generation[consumer] = (current or 0) + 1
        return Claimed

    def release(self, consumer: str, generation: int | None) -> type:
        current = self.generation.get(consumer)
        if generation is not None and current != generation:
            empty = not self.held.get(consumer)
            return Released if current == generation + 1 and empty else Stale
        self.held.pop(consumer, None)
        self.member.pop(consumer, None)
        self.generation[consumer] = (current or 0) + 1
        return Released


async def play(placement: Placement, moves: list[tuple[str, dict[int, int], int, str]]) -> None:
    model = Model()
    specs = [
        ProviderSpec(uuid=uuid_of(number), name=f"p{number}", inventories={"VCPU": Inventory(total=total)})
        for number, total in CAPACITY.items()
    ]
    await placement.providers_ensure(specs)
    for consumer, wanted, off, kind in moves:
        known = model.generation.get(consumer)
        generation = known if off == 0 else max(0, (known or 0) + off) or None
        if kind.startswith("claim"):
            in_set = kind == "claim in set" and bool(wanted)
            spread = SpreadSet(id="set", provider=uuid_of(min(wanted)), most=MOST) if in_set else None
            allocations = {uuid_of(provider): {"VCPU": amount} for provider, amount in wanted.items()}
            answer: object = await placement.claim(
                claim(consumer, generation=generation, allocations=allocations, spread=spread)
            )
            expected = model.claim(consumer, generation, wanted, in_set=in_set)
        else:
            asked = None if kind == "release anyway" else generation
            answer = await placement.release(consumer, asked)
            expected = model.release(consumer, asked)
        assert type(answer) is expected, (consumer, wanted, generation, kind, answer)
        await compare(placement, model)


async def compare(placement: Placement, model: Model) -> None:
    for consumer in "abcd":
        held = await placement.allocations_of(consumer)
        expected = {uuid_of(p): {"VCPU": n} for p, n in model.held.get(consumer, {}).items()}
        assert held == expected
        assert await placement.consumer_generation(consumer) == model.generation.get(consumer)
    for number, capacity in CAPACITY.items():
        used = (await placement.usages(uuid_of(number)))["VCPU"]
        assert used == sum(held.get(number, 0) for held in model.held.values()) <= capacity
    members: dict[str, int] = {}
    for where in model.member.values():
        members[uuid_of(where)] = members.get(uuid_of(where), 0) + 1
    assert await placement.spread_members("set") == members


@settings(max_examples=60, deadline=None)
@given(steps)
def test_claims_and_releases__in_any_order__agree_with_the_model(moves):
    async def run() -> None:
        database = MemoryDatabase()
        await play(Placement(database), moves)
        await database.close()

    asyncio.run(run())
