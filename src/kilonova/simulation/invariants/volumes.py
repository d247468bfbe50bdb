"""Invariant 10: what the volume service has attached, what users are shown and what guests have is the same, at rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kilonova.drivers.fake.guest import FakeGuest
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import GuestVolume
from kilonova.objects.server import Server
from kilonova.objects.volume import Attachment

NOT_DONE = """
    SELECT DISTINCT server_id FROM operations
    WHERE kind IN ('attach_volume', 'detach_volume', 'swap_volume') AND live IS NULL AND state <> 'done'"""
"""Servers of which some volume may be in the guest or not: the host was lost, or the operation was interrupted."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """The volumes of a cloud as everybody sees them."""

    servers: Sequence[Server]
    """That live."""
    guests: Sequence[tuple[Server, FakeGuest]]
    """Those that are where their server is."""
    attachments: Sequence[Attachment]
    unsure: frozenset[ServerId]
    """See `NOT_DONE`."""


def check(used: Used, report: Callable[[str], None]) -> None:
    """Report everything that doesn't hold."""
    _check_attachments(used, report)
    for server, guest in used.guests:
        _check_guest(server, guest, report, unsure=server.id in used.unsure)


def _check_attachments(used: Used, report: Callable[[str], None]) -> None:
    """There is an attachment for each volume that a server shows, for the host where it is used, and no other."""
    there = {(one.id, one.volume_id): one for one in used.attachments}
    for server in used.servers:
        for guest, host in _uses(server):
            found = there.pop((guest.attachment_id, guest.volume_id), None)
            if found is None:
                if guest.attachment_id or server.host is not None:
                    report(
                        f"server {server.id} shows volume {guest.volume_id}, and has no attachment {guest.attachment_id}"
                    )
            elif found.server_id != server.id:
                report(f"attachment {found.id} that server {server.id} shows is of {found.server_id}")
            elif host is not None and found.connection.get("data", {}).get("host") != host:
                report(f"volume {guest.volume_id} of server {server.id} on {host} is connected as {found.connection}")
    for one in there.values():
        report(f"attachment {one.id} of volume {one.volume_id} to {one.server_id} is shown by no living server")


def _check_guest(server: Server, guest: FakeGuest, report: Callable[[str], None], *, unsure: bool) -> None:
    """The guest has its server's volumes and no other, for another may be somebody else's by now."""
    shown = {volume.guest.volume_id: _reached(volume.guest) for volume in server.volumes}
    has = {volume.volume_id: _reached(volume) for volume in guest.spec.volumes}
    for volume_id in has.keys() - shown.keys():
        report(f"guest {server.id} has volume {volume_id}, which its server doesn't show")
    for volume_id in shown.keys() - has.keys():
        if not unsure:
            report(f"guest {server.id} lacks volume {volume_id}, which its server shows")
    for volume_id in has.keys() & shown.keys():
        if has[volume_id] != shown[volume_id]:
            report(f"guest {server.id} reaches volume {volume_id} by {has[volume_id]}, its server {shown[volume_id]}")


def _uses(server: Server) -> list[tuple[GuestVolume, HostName | None]]:
    """The volumes of a server and of what is kept of it elsewhere, and where each is used."""
    uses = [(volume.guest, server.host) for volume in server.volumes]
    if server.move is not None:
        uses += [(guest, server.move.source) for guest in server.move.old_volumes]
    return uses


def _reached(volume: GuestVolume) -> tuple[str, object]:
    return volume.attachment_id, volume.connection
