"""Loads providers into the database of a service of ours that runs already: it hears of them by their changes."""

import asyncio
from pathlib import Path
from typing import Any

from bench.placement import clouds
from kilonova.database.database import Transaction
from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement import claims, store
from kilonova.placement.shapes import Claim, Inventory
from kilonova.runtime.real import RealRuntime


def load(database: Path, providers: Path) -> None:
    """Write the providers, and what of them is used."""

    async def run() -> None:
        one = SqliteDatabase("placement", database, RealRuntime())
        try:
            await one.write(load_txn, list(clouds.read(providers)))
        finally:
            await one.close()

    asyncio.run(run())


def load_txn(tx: Transaction, providers: list[dict[str, Any]]) -> None:
    for one in providers:
        store.provider_insert_txn(tx, one["uuid"], one["name"], one["parent"], one["root"])
        for aggregate in one["aggregates"]:
            store.aggregates_replace_txn(tx, one["uuid"], [aggregate])
    store.inventories_insert_txn(
        tx, [(one["uuid"], name, Inventory(**of)) for one in providers for name, of in one["inventories"].items()]
    )
    store.traits_insert_txn(tx, [(one["uuid"], name) for one in providers for name in one["traits"]], reported=False)
    for one in providers:
        if one["used"]:
            claims.claim_txn(tx, _claim(one))


def _claim(one: dict[str, Any]) -> Claim:
    """The consumer has the provider's UUID, as on the other side."""
    allocations = {one["uuid"]: one["used"]}
    return Claim(consumer=one["uuid"], generation=None, allocations=allocations, project_id="bench", user_id="bench")
