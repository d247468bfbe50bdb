"""What goes on on hosts, for the filters and weighers that look at it. Read from the cells at each decision that needs it."""

from collections.abc import Mapping
from contextlib import suppress

import msgspec
from sqlalchemy import and_, bindparam, case, func, or_, select

from kilonova.cells.cells import Cells
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import operation_events, servers
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import HostName
from kilonova.objects.server import TaskState, VmState
from kilonova.scheduler.hosts import HostLoad, Look

FAILURES_COUNT_S = 3600.0
"""For how long a failed boot counts."""
BUILDING = "spawn"
"""The step of every plan that makes a guest on a host."""
HARD_ON_DISKS = (
    TaskState.RESIZE_PREP,
    TaskState.RESIZE_MIGRATING,
    TaskState.REBUILDING,
    TaskState.IMAGE_SNAPSHOT,
    TaskState.IMAGE_BACKUP,
    TaskState.RESCUING,
    TaskState.SHELVING,
    TaskState.UNSHELVING,
)
"""What a server does that counts as an I/O operation of its host, as in Nova; being built does too."""

_here = (servers.c.host.is_not(None), servers.c.deleted_at.is_(None))
_hard = or_(servers.c.vm_state == VmState.BUILDING, servers.c.task_state.in_(HARD_ON_DISKS))
_counts = (
    select(servers.c.host, func.count().label("servers"), func.sum(case((_hard, 1), else_=0)).label("io_ops"))
    .where(*_here)
    .group_by(servers.c.host)
)
_bodies = select(servers.c.host, servers.c.body).where(*_here)
_failures = (
    select(operation_events.c.host, func.count().label("failed"))
    .where(
        and_(
            operation_events.c.step == bindparam("step"),
            operation_events.c.result == "failed",
            operation_events.c.at > bindparam("since"),
            operation_events.c.host.is_not(None),
        )
    )
    .group_by(operation_events.c.host)
)


class _Imaged(msgspec.Struct):
    """The part of a server's body that says what it was made from."""

    image_properties: dict[str, str] = {}


_decode = msgspec.json.Decoder(_Imaged).decode


async def host_loads(cells: Cells, look: Look) -> dict[HostName, HostLoad]:
    """What goes on on each host where anything does, as far as `look` asks, in the cells that answer."""
    found: dict[HostName, HostLoad] = {}
    if not look:
        return found
    for cell in cells.with_hosts:
        with suppress(Unavailable):
            found.update(await cell.database.scan(loads_txn, look))
    return found


def loads_txn(tx: Transaction, look: Look) -> dict[HostName, HostLoad]:
    """The loads of the hosts of one cell."""
    counts = {row.host: (row.servers, row.io_ops) for row in tx.execute(_counts)} if Look.SERVERS in look else {}
    failures = _failures_txn(tx) if Look.FAILURES in look else {}
    images: dict[str, list[Mapping[str, str]]] = {}
    for row in tx.execute(_bodies) if Look.IMAGES in look else ():
        images.setdefault(row.host, []).append(_decode(row.body).image_properties)
    loads: dict[HostName, HostLoad] = {}
    for name in {*counts, *failures, *images}:
        living, io_ops = counts.get(name, (0, 0))
        loads[HostName(name)] = HostLoad(
            servers=living, io_ops=io_ops, failed_builds=failures.get(name, 0), images=tuple(images.get(name, ()))
        )
    return loads


def _failures_txn(tx: Transaction) -> dict[str, int]:
    values = {"step": BUILDING, "since": tx.now - FAILURES_COUNT_S}
    return {row.host: row.failed for row in tx.execute(_failures, values)}
