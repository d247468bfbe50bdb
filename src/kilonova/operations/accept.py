"""Accepting: an action becomes a durable operation, and its server's row moves, in one transaction of the server's cell."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.cells.hosts import hosts_up_txn
from kilonova.database.database import Transaction
from kilonova.engine import progress
from kilonova.engine import store as operation_store
from kilonova.engine.plan import Plan
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import OperationId, ProjectId, ServerId, UserId
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, VmState
from kilonova.operations import made_images, migrations, notices, store
from kilonova.operations.catalog import ACTIONS, CELL_PLANS
from kilonova.operations.plans import attach_interface, boot, delete, offload, resize, shelve, soft_delete, unshelve
from kilonova.operations.states import Action, admit
from kilonova.operations.work import Work

RESIZE_ACCEPTED_S = 60.0
"""Between raising the ledger for a resize and accepting it."""


class NotReady(Conflict):
    """Instance {server_id} is not ready: it is on no host"""

    code = "not-ready"


class HostNotUp(Conflict):
    """The host {host} is down; this needs it to be up. See 'openstack compute service list'."""

    code = "host-not-up"


class HostNotDown(Conflict):
    """The host {host} is up; this is for servers of a host that is down. Stop it, or declare it down with --down, first."""

    code = "host-not-down"


class MayRunElsewhere(Conflict):
    """Instance {server_id} may still run on the host {host}, which can't be asked: bring it back, or delete its service."""

    code = "may-run-elsewhere"


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and the id of the operation that it becomes."""

    operation_id: OperationId
    request_id: str
    project_id: ProjectId
    user_id: UserId

    @classmethod
    def of(cls, operation: Operation, new_id: str) -> "Acceptance":
        """In the name of whoever asked for `operation`."""
        return cls(
            operation_id=OperationId(new_id),
            request_id=operation.request_id,
            project_id=operation.project_id,
            user_id=operation.user_id,
        )


def act_txn(
    tx: Transaction,
    server_id: ServerId,
    plan: Plan[Work],
    params: Mapping[str, Any],
    asked: Acceptance,
    *,
    wait_s: float = 0.0,
) -> Operation:
    """Accept an action; no worker begins it for `wait_s` seconds.

    Raises `NoSuchServer`, `WrongState`, `NotReady`, `HostNotUp`, `HostNotDown`.
    """
    server = store.server_get_txn(tx, server_id)
    live = _live_txn(tx, server)
    action = ACTIONS[plan.kind]
    admit(action, server, None if live is None else live.kind)
    _check_host_txn(tx, action, server)
    _check_other_hosts_txn(tx, server)
    left = _left_txn(tx, server, live)
    return _accept_txn(tx, server, plan, {**params, **left}, asked, wait_s)


def act_nowhere_txn(
    tx: Transaction, server_id: ServerId, plan: Plan[Work], _params: Mapping[str, Any], _asked: Acceptance
) -> Operation:
    """Refuse an action on a server that no cell has yet. Raises `NoSuchServer`, `WrongState`, and `NotReady` otherwise."""
    server = store.server_get_txn(tx, server_id)
    live = _live_txn(tx, server)
    admit(ACTIONS[plan.kind], server, None if live is None else live.kind)
    raise NotReady(server_id=server_id)


def resize_intent_txn(tx: Transaction, server_id: ServerId) -> None:
    """Before a resize that needs a larger line in the ledger: let that be set right should the resize never be accepted.

    Raises what `act_txn` would raise now.
    """
    server = store.server_get_txn(tx, server_id)
    live = _live_txn(tx, server)
    admit(resize.ACTION, server, None if live is None else live.kind)
    _check_host_txn(tx, resize.ACTION, server)
    store.settlement_add_txn(tx, server_id, tx.now + RESIZE_ACCEPTED_S)


def delete_txn(tx: Transaction, server_id: ServerId, asked: Acceptance) -> Operation | None:
    """Accept a delete; None when one is under way already. Raises `NoSuchServer`."""
    server = store.server_get_txn(tx, server_id)
    live = _live_txn(tx, server)
    if live is not None and live.kind == delete.PLAN.kind:
        return None
    return _accept_txn(tx, server, delete.PLAN, _left_txn(tx, server, live), asked)


def soft_delete_txn(tx: Transaction, server_id: ServerId, asked: Acceptance) -> Operation | None:
    """Accept a delete that can be taken back for a while; a real one where there is nothing that could be brought back.

    None when it is soft-deleted already, or a delete of either kind is under way. Raises `NoSuchServer`, and `WrongState`
    while it is being restored.
    """
    server = store.server_get_txn(tx, server_id)
    live = _live_txn(tx, server)
    if live is not None and live.kind == soft_delete.PLAN.kind:
        return None
    action = soft_delete.ACTION
    if server.vm_state is VmState.SOFT_DELETED:
        if live is None or live.kind == delete.PLAN.kind:
            return None
        admit(action, server, live.kind)
    interrupted = live is None or live.kind in action.interrupts
    if server.host is None or server.vm_state not in action.starts_in or not interrupted:
        return delete_txn(tx, server_id, asked)
    return _accept_txn(tx, server, soft_delete.PLAN, _left_txn(tx, server, live), asked)


def _check_host_txn(tx: Transaction, action: Action, server: Server) -> None:
    if server.host is None:
        if action.needs_host:
            raise NotReady(server_id=server.id)
        return
    if action.host_up is None:
        return
    up = server.host in hosts_up_txn(tx)
    if action.host_up and not up:
        raise HostNotUp(host=server.host)
    if up and not action.host_up:
        raise HostNotDown(host=server.host)


def _check_other_hosts_txn(tx: Transaction, server: Server) -> None:
    """A guest that is off here must not be started while it may run elsewhere."""
    if server.vm_state in {VmState.STOPPED, VmState.ERROR, VmState.SHELVED, VmState.SHELVED_OFFLOADED}:
        host = store.may_run_on_txn(tx, server.id)
        if host is not None:
            raise MayRunElsewhere(server_id=server.id, host=host)


def _left_txn(tx: Transaction, server: Server, live: Operation | None) -> dict[str, Any]:
    """End the live operation, if there is one; what the next one finds of it and of the server, as params.

    `vm_state`: where the server was. `host`, `other`: where it is, and where else something of it may be. `consumers`: whoever
    may hold something for it in placement. `fence_until`: until when a worker of an ended operation may still be at work.
    `old_vm_state`: where a server that waits to be confirmed was before. `half_made`: images that the ended operation was
    making, or was to delete. `shelved_as`: the images that the server was shelved as. `lives_in_image`: whether there may be
    nothing else of its guest. `card`: which its guest may have got and it doesn't show yet. `volumes`: which it has, or was
    being given; `volumes_to_delete`: those of them that go with it.
    """
    consumers, hosts, fence_until = [str(server.id)], [server.host], 0.0
    if server.move is not None:
        consumers.append(server.move.operation_id)
        hosts += [server.move.source, server.move.dest]
    if live is not None:
        consumers += [live.id, *live.params.get("consumers", ())]
        hosts += CELL_PLANS[live.kind].hosts(live)
        fence_until = max(live.lease_until, live.params.get("fence_until", 0.0))
        _supersede_txn(tx, server, live)
    others = [host for host in hosts if host not in {None, server.host}]
    return {
        "vm_state": server.vm_state,
        "host": server.host,
        "other": others[0] if others else None,
        "consumers": list(dict.fromkeys(consumers)),
        "fence_until": fence_until,
        "half_made": [] if live is None else _half_made(live),
        "shelved_as": _shelved_as(server, live),
        "lives_in_image": server.shelved is not None and not _guest_is_whole(server, live),
        "card": None if live is None else attach_interface.may_have_plugged(live),
        "volumes": [volume.guest.volume_id for volume in server.volumes],
        "volumes_to_delete": [one.guest.volume_id for one in server.volumes if one.delete_on_termination],
        "old_vm_state": None if server.move is None else server.move.old_vm_state,
    }


def _shelved_as(server: Server, live: Operation | None) -> list[str]:
    """The images that a server was shelved as: the last one, and an earlier one that the ended operation had yet to delete."""
    last = [] if server.shelved is None else [server.shelved.image.id]
    earlier = live.params["shelved_as"] if live is not None and live.kind == shelve.PLAN.kind else []
    return list(dict.fromkeys([*last, *earlier]))


def _guest_is_whole(server: Server, live: Operation | None) -> bool:
    """Whether the guest of a server that was shelved is on its host for sure, with its disk."""
    if live is not None and live.kind == "reset_state":
        return not live.params.get("lives_in_image")
    if live is not None and live.kind == unshelve.PLAN.kind and live.step == "image":
        return True
    leaves = live is not None and offload.ends_guest(live)
    return server.vm_state in {VmState.SHELVED, VmState.SOFT_DELETED} and not leaves


def _half_made(live: Operation) -> list[Any]:
    """The images that nobody has any use of: what it was making, if that isn't whole yet, or what it was to delete itself."""
    if made_images.NEW in live.params and made_images.STORED not in live.outputs:
        return [live.params[made_images.NEW]]
    return list(live.params.get("half_made", ()))


def new_operation(
    plan: Plan[Work], server_id: ServerId, params: Mapping[str, Any], asked: Acceptance, now: float
) -> Operation:
    """The operation that an accepted request becomes, at its first step."""
    return progress.begin(
        plan,
        Operation(
            id=asked.operation_id,
            server_id=server_id,
            project_id=asked.project_id,
            user_id=asked.user_id,
            request_id=asked.request_id,
            kind=plan.kind,
            params=dict(params),
            deadline=now + plan.deadline_s,
            created_at=now,
            updated_at=now,
        ),
    )


def _accept_txn(
    tx: Transaction,
    server: Server,
    plan: Plan[Work],
    params: Mapping[str, Any],
    asked: Acceptance,
    wait_s: float = 0.0,
) -> Operation:
    generation = server.generation + 1
    operation = new_operation(plan, server.id, {**params, "generation": generation}, asked, tx.now)
    operation = msgspec.structs.replace(operation, not_before=tx.now + wait_s)
    operation_store.operation_insert_txn(tx, operation)
    action = ACTIONS[plan.kind]

    def accepted(server: Server) -> Server:
        taken = msgspec.structs.replace(
            server, current_op=operation.id, task_state=action.walk[operation.step], generation=generation
        )
        return action.effect(taken, operation, tx.now)

    taken = store.server_change_txn(tx, server.id, accepted)
    migrations.accepted_txn(tx, server, operation)
    notices.started_txn(tx, taken, operation)
    return operation


def _live_txn(tx: Transaction, server: Server) -> Operation | None:
    return None if server.current_op is None else operation_store.operation_get_txn(tx, server.current_op)


def _supersede_txn(tx: Transaction, server: Server, live: Operation) -> None:
    """End an operation because another takes over the server; its workers' epochs are stale from here on."""
    ended = msgspec.structs.replace(
        live,
        state=OperationState.SUPERSEDED,
        params=progress.without(live.params, boot.SECRETS),
        epoch=live.epoch + 1,
        owner=None,
        host=None,
        lease_until=0.0,
        updated_at=tx.now,
    )
    operation_store.operation_save_txn(tx, live, ended)
    operation_store.event_add_txn(tx, ended, "superseded")
    migrations.superseded_txn(tx, ended)
    notices.ended_txn(tx, server, ended)
    if ACTIONS[live.kind].resizes:
        store.settlement_add_txn(tx, live.server_id, tx.now)
