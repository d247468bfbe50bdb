"""What the auditor has found. The only module that writes `findings`.

A finding that turns out to have an owner, or is gone, is forgotten; one that was removed is kept.
"""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.tables.api_database import findings
from kilonova.kernel.ids import ServerId


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was made for a server, and that no server and no operation owns."""

    kind: str
    """`consumer` in placement, `port`, or `guest`."""
    id: str
    server_id: ServerId | None
    """Whose it was, where that is known."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An orphan, since when it is known, and when it was removed."""

    orphan: Orphan
    found_at: float
    removed_at: float | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a look."""

    new: Sequence[Orphan]
    there: Sequence[Finding]
    """New ones included."""
    at: float
    """Database time."""


def findings_txn(tx: Transaction) -> list[Finding]:
    """Every finding, the oldest first."""
    rows = tx.execute(select(findings).order_by(findings.c.found_at, findings.c.kind, findings.c.id))
    return [
        Finding(
            orphan=Orphan(kind=row.kind, id=row.id, server_id=row.server_id),
            found_at=row.found_at,
            removed_at=row.removed_at,
        )
        for row in rows
    ]


def findings_merge_txn(tx: Transaction, orphans: Collection[Orphan]) -> Seen:
    """Write down what a look has found."""
    known = {finding.orphan: finding for finding in findings_txn(tx) if finding.removed_at is None}
    for orphan in known.keys() - set(orphans):
        tx.execute(delete(findings).where(_is(orphan)))
    new = [orphan for orphan in orphans if orphan not in known]
    for orphan in new:
        tx.execute(delete(findings).where(_is(orphan)))
        tx.execute(insert(findings), {**msgspec.structs.asdict(orphan), "found_at": tx.now})
    there = [finding for finding in findings_txn(tx) if finding.removed_at is None]
    return Seen(new=new, there=there, at=tx.now)


def finding_removed_txn(tx: Transaction, orphan: Orphan) -> None:
    """Say that an orphan was removed."""
    tx.execute(update(findings).where(_is(orphan)).values(removed_at=tx.now))


def _is(orphan: Orphan) -> ColumnElement[bool]:
    return and_(findings.c.kind == orphan.kind, findings.c.id == orphan.id)
