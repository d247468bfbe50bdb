"""What happens seldom is counted where it is written, so that the count is exact whoever did it, and survives them all.

The only module that writes the table `counters`.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import MetaData, bindparam, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables import operation_tables

counters = operation_tables.counters(MetaData())

_of_name = counters.c.name == bindparam("key")
_raise = Prepared(update(counters).where(_of_name).values(value=counters.c.value + 1))


class Counted(StrEnum):
    """What is counted."""

    LEASE_TAKEOVERS = "lease_takeovers"
    """A lease ran out, and another worker took it."""
    EPOCHS_REJECTED = "epochs_rejected"
    """A worker reported what another had taken over."""
    UNDOS = "undos"
    """A step was undone."""


def count_txn(tx: Transaction, counted: Counted) -> None:
    """Count one more."""
    if tx.execute(_raise, {"key": counted}).rowcount == 0:
        tx.execute(insert(counters), {"name": counted, "value": 1})


def counts_txn(tx: Transaction) -> Mapping[Counted, int]:
    """How often each has happened in this database."""
    found = {row.name: row.value for row in tx.execute(select(counters))}
    return {counted: found.get(counted, 0) for counted in Counted}
