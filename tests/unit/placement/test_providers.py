"""Providers as their reporters want them."""

import msgspec
import pytest

from kilonova.placement import queries
from kilonova.placement.errors import DuplicateName, InventoryInUse, ProviderInUse, UnknownClass, UnknownTrait
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import CandidateQuery, Inventory
from unit.placement.placing import claim, host, uuid_of, with_placement


def test_ensure__again_unchanged__keeps_the_generation_and_a_change_raises_it(tmp_path):
    async def work(placement: Placement) -> None:
        database = placement.database
        await placement.providers_ensure([host(1), host(2)])
        await placement.providers_ensure([host(1), host(2, vcpus=16)])
        found = await database.read(queries.providers_txn, [uuid_of(1), uuid_of(2)])
        assert [one.generation for one in found.values()] == [0, 1]

    with_placement(tmp_path, work)


def test_ensure__bad_names_and_used_inventories__are_refused_and_nothing_is_kept(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        gone = msgspec.structs.replace(host(1), inventories={"VCPU": Inventory(total=8)})
        twin = msgspec.structs.replace(host(2), name="host-1")
        bad_class = msgspec.structs.replace(host(2), inventories={"VCPUS": Inventory(total=8)})
        for spec, error in (
            (gone, InventoryInUse),
            (twin, DuplicateName),
            (msgspec.structs.replace(host(2), name="host-3"), DuplicateName),
            (bad_class, UnknownClass),
            (host(2, traits=frozenset({"HW_CPU_NONSENSE"})), UnknownTrait),
        ):
            with pytest.raises(error):
                await placement.providers_ensure([host(3), spec])
        assert (await placement.candidates(CandidateQuery(resources={"VCPU": 1}))).names == ("host-1",)

    with_placement(tmp_path, work)


def test_remove__while_something_is_held__deletes_none(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        await placement.claim(claim("one"))
        with pytest.raises(ProviderInUse, match=uuid_of(1)):
            await placement.providers_remove([uuid_of(2), uuid_of(1)])
        await placement.release("one")
        await placement.providers_remove([uuid_of(2), uuid_of(1), uuid_of(9)])
        assert (await placement.candidates(CandidateQuery(resources={"VCPU": 1}))).uuids == ()

    with_placement(tmp_path, work)


def test_candidates__traits_room_and_limit__are_all_conditions(tmp_path):
    async def work(placement: Placement) -> None:
        fast, new = frozenset({"CUSTOM_FAST"}), frozenset({"CUSTOM_NEW"})
        await placement.providers_ensure(
            [host(1, traits=fast), host(2, traits=fast | new), host(3, vcpus=1, traits=fast), host(4)]
        )
        wanted = {"VCPU": 2, "MEMORY_MB": 64}

        async def found(**more: object) -> tuple[str, ...]:
            return (await placement.candidates(CandidateQuery(resources=wanted, **more))).names

        assert await found() == ("host-1", "host-2", "host-4")
        assert await found(limit=2) == ("host-1", "host-2")
        assert await found(required=(fast,)) == ("host-1", "host-2")
        assert await found(required=(fast,), forbidden=new) == ("host-1",)
        assert await found(required=(fast | new, new)) == ("host-2",)
        assert await found(name="host-4") == ("host-4",)
        assert await found(in_tree=uuid_of(2)) == ("host-2",)

    with_placement(tmp_path, work)
