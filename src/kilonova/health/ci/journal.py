"""The journal: transitions of CI systems in a chain of hashes, and the gate's decisions. Its only writer.

Each transition's hash is made of its content and of the hash before it, so none can be changed or taken out without every later
one telling. The last hash, written down elsewhere, tells whether the end was cut off.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import insert, select

from kilonova.database.database import Transaction
from kilonova.database.tables import health_database as tables
from kilonova.health.ci.gate import Decision
from kilonova.health.ci.voting import Standing, State, Transition
from kilonova.health.store import Cursor, append_txn
from kilonova.kernel.errors import Conflict

GENESIS = "0" * 64
"""The hash before the first."""
DECIDED = "ci.decided"
"""The name before a system's in the cursors: up to which day it is decided, and since when it has been fit."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Transition).decode


class Entry(msgspec.Struct, frozen=True):
    """A transition as it is kept."""

    seq: int
    transition: Transition
    previous: str
    hash: str


class Broken(msgspec.Struct, frozen=True):
    """Where the chain doesn't hold."""

    seq: int
    reason: str


class Decided(msgspec.Struct, frozen=True):
    """How far a system has been decided."""

    until: float
    fit_since: float | None


class Overtaken(Conflict):
    """{system} has been decided on by somebody else meanwhile; look again."""

    code = "overtaken"


def transitions_append_txn(
    tx: Transaction, before: Sequence[Standing], transitions: Sequence[Transition], decided: Sequence[Cursor] = ()
) -> None:
    """Write transitions in order, and up to where their systems are decided.

    Raises:
        Overtaken: a system no longer stands where `before` has it.
    """
    for standing in before:
        now = standing_txn(tx, standing.system, float("inf"))
        if now is not None and (now.state, now.since) != (standing.state, standing.since):
            raise Overtaken(system=standing.system)
    previous = last_hash_txn(tx)
    for transition in transitions:
        body = _encode(transition)
        digest = _hash(previous, body)
        row = {"system": transition.system, "at": transition.at, "body": body, "previous": previous, "hash": digest}
        tx.execute(insert(tables.transitions), row)
        previous = digest
    for cursor in decided:
        append_txn(tx, [], [], cursor, {})


def standing_txn(tx: Transaction, system: str, at: float) -> Standing | None:
    """Where a system stood; None before its first transition."""
    c = tables.transitions.c
    asked = select(c.body).where(c.system == system, c.at <= at).order_by(c.seq.desc()).limit(1)
    body = tx.execute(asked).scalar()
    if body is None:
        return None
    last = _decode(body)
    return Standing(system, last.new, last.at)


def states_txn(tx: Transaction, at: float) -> dict[str, State]:
    """Where every system stood that had any transition."""
    c = tables.transitions.c
    rows = tx.execute(select(c.system, c.body).where(c.at <= at).order_by(c.seq))
    return {row.system: _decode(row.body).new for row in rows}


def decided_txn(tx: Transaction, system: str) -> Decided | None:
    """How far a system has been decided; None when it never was."""
    c = tables.cursors.c
    position = tx.execute(select(c.position).where(c.name == f"{DECIDED}:{system}")).scalar()
    return None if position is None else msgspec.json.decode(position, type=Decided)


def decided_cursor(system: str, decided: Decided) -> Cursor:
    """What `decided_txn` reads."""
    return Cursor(f"{DECIDED}:{system}", msgspec.json.encode(decided).decode())


def entries_txn(tx: Transaction, system: str | None = None, at: float = float("inf")) -> list[Entry]:
    """The transitions, of one system or all, in order."""
    c = tables.transitions.c
    asked = select(tables.transitions).where(c.at <= at).order_by(c.seq)
    if system is not None:
        asked = asked.where(c.system == system)
    return [Entry(row.seq, _decode(row.body), row.previous, row.hash) for row in tx.execute(asked)]


def broken_txn(tx: Transaction) -> Broken | None:
    """Where the chain of all transitions doesn't hold; None where it does."""
    previous = GENESIS
    for row in tx.execute(select(tables.transitions).order_by(tables.transitions.c.seq)):
        if row.previous != previous:
            return Broken(row.seq, "what was before it is not what it was written after")
        if row.hash != _hash(previous, row.body):
            return Broken(row.seq, "it is not what was written")
        kept = _decode(row.body)
        if (kept.system, kept.at) != (row.system, row.at):
            return Broken(row.seq, "its columns say something else than it")
        previous = row.hash
    return None


def last_hash_txn(tx: Transaction) -> str:
    """The hash of the newest transition."""
    c = tables.transitions.c
    return tx.execute(select(c.hash).order_by(c.seq.desc()).limit(1)).scalar() or GENESIS


def decision_keep_txn(tx: Transaction, decision: Decision, at: float) -> None:
    """Keep what the gate said."""
    tx.execute(insert(tables.decisions), {"subject": decision.subject, "at": at, "body": _encode(decision)})


def decisions_txn(tx: Transaction, subject: str) -> list[Decision]:
    """What the gate said of a change, in order."""
    c = tables.decisions.c
    bodies = tx.execute(select(c.body).where(c.subject == subject).order_by(c.seq)).scalars()
    return [msgspec.json.decode(body, type=Decision) for body in bodies]


def _hash(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()
