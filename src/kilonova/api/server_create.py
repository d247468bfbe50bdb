"""Creating servers: from a body to boots with every reference checked, then one transaction that takes them all.

Each question has a module: what it boots from (`server_image`, `server_disks`), where it goes (`server_destination`,
`server_hints`), what it is plugged into (`server_networks`), what it is called (`server_names`).
"""

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api import body, server_hints
from kilonova.api.compute import Compute
from kilonova.api.keypair_store import KeypairNotFound, keypair_find_txn
from kilonova.api.links import links
from kilonova.api.server_body import ServerCreate
from kilonova.api.server_destination import Destination, destination_of
from kilonova.api.server_disks import disks_of
from kilonova.api.server_files import files_of
from kilonova.api.server_image import BootImages, flavor_of, images_of
from kilonova.api.server_metadata import check_count
from kilonova.api.server_names import guest_hostname, numbered
from kilonova.api.server_networks import groups_of, nics_of
from kilonova.api.server_rescue import PASSWORD_BYTES
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.kernel.versions import Doc
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.keypair import Keypair
from kilonova.objects.port import SecurityGroup
from kilonova.objects.server import NicRequest, Server, Volume
from kilonova.objects.server_group import ServerGroup
from kilonova.scheduler.wishes import wishes_of
from kilonova.web.call import Call, Reply

SERVERS_MAX = 1000
"""Most servers that one request makes."""


class TooMany(Invalid):
    """Invalid input for field/attribute min_count. Value: {count}. One request makes at most {limit} servers"""

    code = "too-many-servers"


class BadCounts(Invalid):
    """min_count must be <= max_count"""

    code = "bad-counts"


class NoSuchKey(Invalid):
    """Invalid key_name provided."""

    code = "no-such-key"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of one request have in common, with every reference found."""

    wish: ServerCreate
    hints: dict[str, list[str]]
    flavor: Flavor
    images: BootImages
    volumes: tuple[Volume, ...]
    destination: Destination
    nics: tuple[NicRequest, ...]
    security_groups: tuple[SecurityGroup, ...]
    keypair: Keypair | None
    group: ServerGroup | None
    files: tuple[tuple[str, str], ...]
    count: int
    reservation_id: str
    password: str


async def create(call: Call, compute: Compute) -> Reply:
    """Accept one server or several: the answer leaves when they are durable requests."""
    caller = call.user
    compute.policy.enforce("os_compute_api:servers:create", caller)
    hints = server_hints.take(call)
    wish = body.read(call, "server", ServerCreate, "server_create")
    _check_rights(wish, caller, compute)
    order = await _order(caller, compute, wish, hints)
    boots = [_boot(order, caller, compute, index) for index in range(order.count)]
    await compute.servers.boot(caller, call.request_id, boots)
    if wish.return_reservation_id:
        return Reply({"reservation_id": order.reservation_id})
    return _created(call, compute, boots[0])


def _created(call: Call, compute: Compute, boot: Boot) -> Reply:
    server = boot.server
    both = links(call, compute).both("servers", server.id)
    doc: Doc = {
        "id": server.id,
        "links": both,
        "OS-DCF:diskConfig": server.disk_config,
        "security_groups": [{"name": name} for name in server.security_groups],
        "adminPass": boot.admin_password,
    }
    return Reply({"server": doc}, headers={"Location": both[0]["href"]})


def _check_rights(wish: ServerCreate, caller: Caller, compute: Compute) -> None:
    if wish.trusted_image_certificates is not None:
        compute.policy.enforce("os_compute_api:servers:create:trusted_certs", caller)
    if wish.block_device_mapping or wish.block_device_mapping_v2:
        compute.policy.enforce("os_compute_api:servers:create:attach_volume", caller)


async def _order(caller: Caller, compute: Compute, wish: ServerCreate, hints: dict[str, list[str]]) -> Order:
    """Find and check all that the request refers to. Raises `Invalid`, `Conflict`, `Forbidden`, `OverLimit`."""
    assert caller.project_id is not None
    least, most = _counts(wish)
    limits = await compute.quota.limits(caller.project_id, caller.user_id)
    check_count(len(wish.metadata), limits)
    flavor = await flavor_of(caller, compute, wish.flavor_ref)
    disks = await disks_of(caller, compute, wish, most)
    images = await images_of(caller, compute, wish, flavor, disks)
    wishes_of(flavor, images.properties, compute.aliases)
    count = most if least == most else await _affordable(compute, caller, flavor, least, most)
    return Order(
        wish=wish,
        hints=hints,
        flavor=flavor,
        images=images,
        volumes=disks.volumes,
        destination=await destination_of(caller, compute, wish),
        nics=await nics_of(caller, compute, wish, most),
        security_groups=await groups_of(caller, compute, wish),
        keypair=await _keypair(caller, compute, wish),
        group=await server_hints.group_of(caller, compute, hints),
        files=files_of(wish.personality, limits),
        count=count,
        reservation_id=f"r-{compute.runtime.uuid()[:8]}",
        password=_given(wish.admin_password) or compute.runtime.token(PASSWORD_BYTES),
    )


def _counts(wish: ServerCreate) -> tuple[int, int]:
    """The least and the most servers that are wanted."""
    most = wish.min_count if wish.max_count is UNSET else wish.max_count
    if most < wish.min_count:
        raise BadCounts
    if wish.min_count > SERVERS_MAX:
        raise TooMany(count=wish.min_count, limit=SERVERS_MAX)
    return int(wish.min_count), min(int(most), SERVERS_MAX)


async def _affordable(compute: Compute, caller: Caller, flavor: Flavor, least: int, most: int) -> int:
    """As many servers as the project's quota still has room for, between `least` and `most`."""
    project_id = ProjectId(str(caller.project_id))
    room = most
    for user_id in (None, caller.user_id):
        limits = await compute.quota.limits(project_id, user_id)
        used = await compute.quota.usage(project_id, user_id)
        for limit, taken, each in (
            (limits["instances"], used.instances, 1),
            (limits["cores"], used.cores, flavor.vcpus),
            (limits["ram"], used.ram, flavor.memory_mb),
        ):
            if limit >= 0 and each > 0:
                room = min(room, (limit - taken) // each)
    return max(least, room)


async def _keypair(caller: Caller, compute: Compute, wish: ServerCreate) -> Keypair | None:
    if wish.key_name is UNSET:
        return None
    try:
        return await compute.database.read(keypair_find_txn, caller.user_id, str(wish.key_name))
    except KeypairNotFound as error:
        raise NoSuchKey from error


def _boot(order: Order, caller: Caller, compute: Compute, index: int) -> Boot:
    return Boot(
        server=_server(order, caller, compute, index),
        image=order.images.disk,
        kernel=order.images.kernel,
        ramdisk=order.images.ramdisk,
        security_group_ids=tuple(group.id for group in order.security_groups),
        volumes=tuple(volume.guest.volume_id for volume in order.volumes),
        files=order.files,
        admin_password=order.password,
    )


def _server(order: Order, caller: Caller, compute: Compute, index: int) -> Server:
    """The server at `index` of the request, as it is first shown."""
    wish, now = order.wish, compute.runtime.now()
    server_id = ServerId(compute.runtime.uuid())
    suffix = numbered("", index, order.count)
    hostname = _given(wish.hostname)
    keypair = order.keypair
    return Server(
        id=server_id,
        project_id=ProjectId(str(caller.project_id)),
        user_id=caller.user_id,
        name=numbered(str(wish.name), index, order.count),
        hostname=hostname + suffix if hostname else guest_hostname(wish.name, server_id, suffix),
        description=None if wish.description is None else str(wish.description),
        flavor=order.flavor,
        image_id=order.images.id,
        image_properties=order.images.properties,
        key_name=None if keypair is None else keypair.name,
        key_type=None if keypair is None else keypair.type,
        public_key=None if keypair is None else keypair.public_key,
        metadata=wish.metadata,
        tags=tuple(sorted(set(wish.tags))),
        availability_zone=order.destination.zone,
        pinned_availability_zone=order.destination.zone,
        user_data=_given(wish.user_data),
        config_drive=bool(wish.config_drive),
        disk_config=wish.disk_config,
        access_ip_v4=_given(wish.access_ip_v4) or "",
        access_ip_v6=_given(wish.access_ip_v6) or "",
        security_groups=tuple(group.name for group in order.security_groups),
        networks_requested=order.nics,
        volumes=order.volumes,
        group_id=None if order.group is None else order.group.id,
        hints=order.hints,
        trusted_certs=None if wish.trusted_image_certificates is None else tuple(wish.trusted_image_certificates),
        requested_host=order.destination.host,
        reservation_id=order.reservation_id,
        launch_index=index,
        created_at=now,
        updated_at=now,
    )


def _given(text: str | UnsetType) -> str | None:
    """A text field of the body as a plain text; None when it wasn't there."""
    return None if text is UNSET else str(text)
