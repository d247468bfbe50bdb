"""What placement holds as a whole: every inventory, books that balance, whole trees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from kilonova.database.database import Transaction
from kilonova.placement import store, tables
from kilonova.placement.books import Described, Discrepancy, Given
from kilonova.placement.errors import NoSuchProvider
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Inventory
from unit.placement.placing import SMALL, claim, host, uuid_of, with_placement


def spoiled(tmp_path: Path, spoil: Callable[[Transaction], Any], check: Callable[[Placement], Any]) -> None:
    """Let one consumer hold `SMALL`, change the tables behind placement's back, and check."""

    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        await placement.database.write(spoil)
        await check(placement)

    with_placement(tmp_path, work)


def test_given__every_inventory_with_its_root(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        found = await placement.given()
        used = {one.resource_class: (one.provider, one.root, one.used) for one in found}
        assert used == {name: (uuid_of(1), uuid_of(1), amount) for name, amount in SMALL.items()}
        assert all(isinstance(one, Given) and one.capacity > one.used for one in found)

    with_placement(tmp_path, work)


def test_books__claims_came_and_went__are_in_order(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        await placement.claim(claim("one"))
        await placement.claim(claim("two", provider=2))
        await placement.release("one")
        books = await placement.books()
        assert (books.unbalanced, books.beyond) == ([], [])
        assert [one.uuid for one in books.roots] == [uuid_of(1), uuid_of(2)]

    with_placement(tmp_path, work)


def test_books__used_is_not_what_allocations_add_up_to__is_told(tmp_path):
    c = tables.inventories.c
    more = update(tables.inventories).where(c.resource_class == "VCPU").values(used=c.used + 1)

    async def check(placement: Placement) -> None:
        (one,) = (await placement.books()).unbalanced
        assert (one.resource_class, one.used, one.allocated) == ("VCPU", SMALL["VCPU"] + 1, SMALL["VCPU"])

    spoiled(tmp_path, lambda tx: tx.execute(more) and None, check)


@pytest.mark.parametrize("gone", [tables.allocations, tables.inventories], ids=str)
def test_books__one_side_is_gone__is_told(tmp_path, gone):
    async def check(placement: Placement) -> None:
        found = (await placement.books()).unbalanced
        assert [one.resource_class for one in found] == sorted(SMALL)
        assert all((one.used is None) == (gone is tables.inventories) for one in found)
        assert all(one.allocated == 0 or one.used is None for one in found)

    spoiled(tmp_path, lambda tx: tx.execute(delete(gone)) and None, check)


def test_books__capacity_was_made_smaller__beyond_it_but_balanced(tmp_path):
    async def check(placement: Placement) -> None:
        books = await placement.books()
        assert books.unbalanced == []
        assert books.beyond == [
            Discrepancy(provider=uuid_of(1), resource_class="VCPU", capacity=1, used=2, allocated=2)
        ]

    spoiled(tmp_path, lambda tx: store.inventories_update_txn(tx, [(uuid_of(1), "VCPU", Inventory(total=1))]), check)


def test_tree__by_uuid_or_name_of_any_of_it__parents_before_children(tmp_path):
    def grow_txn(tx: Transaction) -> None:
        for number, name, parent in ((2, "card-b", 1), (3, "card-a", 1), (4, "port", 2)):
            store.provider_insert_txn(tx, uuid_of(number), name, uuid_of(parent), uuid_of(1))
        store.aggregates_replace_txn(tx, uuid_of(2), ["rack"])
        store.traits_insert_txn(tx, [(uuid_of(2), "HW_NIC_SRIOV")], reported=False)

    async def check(placement: Placement) -> None:
        trees = [await placement.tree(name) for name in (uuid_of(1), uuid_of(4), "card-a")]
        assert trees[0] == trees[1] == trees[2]
        root, card_a, card_b, port = trees[0]
        assert [one.provider.uuid for one in (root, card_a, card_b, port)] == [uuid_of(n) for n in (1, 3, 2, 4)]
        assert [holding.consumer for holding in root.holdings] == ["one"]
        assert {name: stock.used for name, stock in root.stocks.items()} == SMALL
        assert isinstance(card_b, Described)
        assert (card_b.traits, card_b.aggregates, card_b.stocks) == (["HW_NIC_SRIOV"], ["rack"], {})
        with pytest.raises(NoSuchProvider):
            await placement.tree("nobody")

    spoiled(tmp_path, grow_txn, check)
