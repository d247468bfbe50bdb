"""What clients may ask of a server that is there: a row an action. A new operation joins the workload and the sweep here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server, VmState
from kilonova.simulation.doubles.images import IMAGE
from kilonova.simulation.doubles.networks import NETWORK
from kilonova.simulation.doubles.volumes import SOME


class ClientAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action, as `Servers.act` takes it."""

    kind: str
    after: tuple[str, ...] = ()
    """The actions that bring a server that is ACTIVE to where this one starts."""
    ends_in: VmState
    """Where the server is afterwards, when nothing was wrong with it."""
    params: Mapping[str, Any] = MappingProxyType({})
    chosen: Callable[[Server], Mapping[str, Any] | None] | None = None
    """What it is about, from the server as the client sees it; None when there is nothing it could be about."""
    flavor: Flavor | None = None
    """What it is resized to, for `Servers.resize`."""
    takes_any: bool = False
    """Whether it is accepted in whatever state the server is, also while it is made."""
    gives: str | None = None
    """Which param names the volume that the server is given, as `Servers.give_volume` takes it."""
    makes_image: bool = False
    """As `Servers.make_image` takes it."""


CANARY = "canary"
"""Every secret begins with it: what is found anywhere after its operation has leaked."""
LARGE = Flavor(id="3", name="large", vcpus=3, memory_mb=2048, disk_gb=10)
"""What servers are resized to."""


def _last_card(server: Server) -> Mapping[str, Any] | None:
    return {"port_id": server.nics[-1].port_id} if server.nics else None


def _some_volume(server: Server) -> Mapping[str, Any] | None:
    """One that other servers may want as well."""
    return {"volume_id": SOME[int(server.id[:8], 16) % len(SOME)]}


def _last_volume(server: Server) -> Mapping[str, Any] | None:
    return {"volume_id": server.volumes[-1].guest.volume_id} if server.volumes else None


def _other_volume(server: Server) -> Mapping[str, Any] | None:
    if not server.volumes:
        return None
    volume_id = server.volumes[-1].guest.volume_id
    return {"volume_id": volume_id, "new_volume_id": SOME[SOME.index(volume_id) - 1]}


ACTIONS: Mapping[str, ClientAction] = MappingProxyType(
    {
        action.kind: action
        for action in (
            ClientAction(kind="stop", ends_in=VmState.STOPPED),
            ClientAction(kind="start", after=("stop",), ends_in=VmState.ACTIVE),
            ClientAction(kind="reboot", ends_in=VmState.ACTIVE),
            ClientAction(kind="reboot_hard", ends_in=VmState.ACTIVE),
            ClientAction(kind="pause", ends_in=VmState.PAUSED),
            ClientAction(kind="unpause", after=("pause",), ends_in=VmState.ACTIVE),
            ClientAction(kind="suspend", ends_in=VmState.SUSPENDED),
            ClientAction(kind="resume", after=("suspend",), ends_in=VmState.ACTIVE),
            ClientAction(
                kind="rescue",
                ends_in=VmState.RESCUED,
                params={"image": msgspec.to_builtins(IMAGE), "admin_password": f"{CANARY} key"},
            ),
            ClientAction(kind="unrescue", after=("rescue",), ends_in=VmState.ACTIVE),
            ClientAction(kind="set_password", ends_in=VmState.ACTIVE, params={"admin_password": f"{CANARY} horse"}),
            ClientAction(kind="crash_dump", ends_in=VmState.ACTIVE),
            ClientAction(kind="reset_state", ends_in=VmState.ERROR, params={"state": "error"}, takes_any=True),
            ClientAction(kind="soft_delete", ends_in=VmState.SOFT_DELETED),
            ClientAction(kind="restore", after=("soft_delete",), ends_in=VmState.ACTIVE),
            ClientAction(kind="resize", ends_in=VmState.RESIZED, flavor=LARGE),
            ClientAction(kind="migration", ends_in=VmState.RESIZED),
            ClientAction(kind="live_migration", ends_in=VmState.ACTIVE),
            ClientAction(kind="confirm_resize", after=("resize",), ends_in=VmState.ACTIVE),
            ClientAction(kind="revert_resize", after=("resize",), ends_in=VmState.ACTIVE),
            ClientAction(kind="snapshot", ends_in=VmState.ACTIVE, makes_image=True),
            ClientAction(kind="backup", ends_in=VmState.ACTIVE, params={"rotation": 1}, makes_image=True),
            ClientAction(kind="rebuild", ends_in=VmState.ACTIVE, params={"changes": {"description": "rebuilt"}}),
            ClientAction(kind="shelve", ends_in=VmState.SHELVED, makes_image=True),
            ClientAction(kind="offload", after=("shelve",), ends_in=VmState.SHELVED_OFFLOADED),
            ClientAction(kind="unshelve", after=("shelve", "offload"), ends_in=VmState.ACTIVE),
            ClientAction(
                kind="attach_interface",
                ends_in=VmState.ACTIVE,
                params={"request": {"network_id": NETWORK.id}, "security_group_ids": []},
            ),
            ClientAction(
                kind="detach_interface", after=("attach_interface",), ends_in=VmState.ACTIVE, chosen=_last_card
            ),
            ClientAction(kind="attach_volume", ends_in=VmState.ACTIVE, chosen=_some_volume, gives="volume_id"),
            ClientAction(kind="detach_volume", after=("attach_volume",), ends_in=VmState.ACTIVE, chosen=_last_volume),
            ClientAction(
                kind="swap_volume",
                after=("attach_volume",),
                ends_in=VmState.ACTIVE,
                chosen=_other_volume,
                gives="new_volume_id",
            ),
            ClientAction(kind="unshelve", after=("shelve", "offload"), ends_in=VmState.ACTIVE),
        )
    }
)
