"""One server in a small cloud: made, acted on, and looked at in its database."""

from typing import Any

import msgspec

from kilonova.objects.guest import PowerState
from kilonova.objects.image import NewImage
from kilonova.objects.server import Server
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.images import IMAGE
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.rig import CALLER, REQUEST, Rig, server_id

NEW = NewImage(
    id="55555555-0000-4000-8000-000000000001",
    name="made",
    owner=CALLER.project_id or "",
    disk_format="qcow2",
    properties={"image_type": "backup", "instance_uuid": server_id(), "backup_type": "daily"},
)
"""What servers are made into."""
WITHIN_S = 20_000.0
"""Longer than the deadlines of most operations: it costs nothing where nothing is left to do."""


async def booted(rig: Rig, driver_class: type[SimDriver] = SimDriver, **fields: Any) -> Servers:
    """A cloud at work, with one active server; its API."""
    await rig.add_hosts()
    await rig.start_agent(driver_class=driver_class)
    await rig.start_all()
    api = await rig.boot(1, **fields)
    await rig.settled()
    return api


async def act(rig: Rig, api: Servers, kind: str, **params: Any) -> Server:
    """Have an action accepted, and wait until it is over; the server then."""
    await api.act(CALLER, REQUEST, server_id(), kind, params)
    await rig.settled(WITHIN_S)
    return shown(rig)


def shown(rig: Rig) -> Server:
    """The server, deleted or not."""
    found = rig.of()
    assert found is not None
    return found[1]


async def make_image(api: Servers, kind: str, number: int = 1, **params: Any) -> str:
    """Have the server made into an image; its id."""
    image = msgspec.structs.replace(NEW, id=f"{NEW.id[:-1]}{number}")
    await api.make_image(CALLER, REQUEST, server_id(), kind, image, params)
    return image.id


async def shelved(rig: Rig, api: Servers, *, offload: bool) -> Server:
    """Shelve the server, and offload it if so; the server then."""
    await make_image(api, "shelve", offload=offload)
    await rig.settled(20_000.0)
    return shown(rig)


def guests(rig: Rig) -> list[tuple[Any, PowerState]]:
    """Where there are guests, and what they do."""
    return [(host, guest.power_state) for host, _, guest in rig.hypervisor.everything()]


def own_images(rig: Rig) -> list[str]:
    """The images that were made here."""
    return [image.id for image in rig.images.images.values() if image.id != IMAGE.id]
