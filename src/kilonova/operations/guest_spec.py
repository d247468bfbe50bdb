"""From server to guest: everything its host needs to make it, config drive included. Pure."""

from collections.abc import Sequence

from kilonova.kernel.ids import CellId
from kilonova.objects.guest import GuestSpec
from kilonova.objects.server import Server
from kilonova.operations.guest_files import guest_files
from kilonova.scheduler.numa import guest_cells
from kilonova.scheduler.pci import addresses


def guest_spec(
    server: Server,
    *,
    cell_id: CellId,
    generation: int,
    random_seed: str,
    files: Sequence[tuple[str, str]] = (),
    admin_password: str | None = None,
) -> GuestSpec:
    """The guest of `server`.

    Args:
        server: as it is, or is to be.
        cell_id: of its cell.
        generation: of the wish that the guest is made for.
        random_seed: feeds the guest's own randomness (base64).
        files: to be injected, path and base64 content.
        admin_password: told to the guest in its config drive.
    """
    return GuestSpec(
        server_id=server.id,
        generation=generation,
        name=server.name,
        hostname=server.hostname,
        vcpus=server.flavor.vcpus,
        memory_mb=server.flavor.memory_mb,
        disk_gb=server.flavor.disk_gb,
        image=server.image,
        kernel=server.kernel,
        ramdisk=server.ramdisk,
        cmdline=server.image_properties.get("os_command_line", ""),
        nics=server.guest_nics,
        config_drive={
            f"openstack/{path}": content
            for path, content in guest_files(server, random_seed, files, admin_password).items()
        },
        project_id=server.project_id,
        user_id=server.user_id,
        flavor_name=server.flavor.name,
        volumes=tuple(volume.guest for volume in server.volumes),
        cell_id=cell_id,
        numa=guest_cells(server.flavor, server.image_properties, server.portion),
        devices=() if server.portion is None else addresses(server.portion.groups),
    )
