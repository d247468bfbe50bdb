"""What is done to a guest's disk: rescued, rebuilt, resized.

Each makes a new set of parts beside the old one, ends the guest, and exchanges the sets by one word in the record. So a crash
leaves the guest with the one or the other, whole.
"""

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu.builder import slots_for
from kilonova.drivers.qemu.guest_dir import BeforeResize, GuestRecord, Rescue, parts_folder, rescue_folder
from kilonova.drivers.qemu.guests import Guests
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState


class Disks:
    """For the methods' meaning see `Driver`, whose names they have."""

    def __init__(self, guests: Guests) -> None:
        """Work on `guests`."""
        self._guests = guests

    async def rescue(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_rescue`."""
        guests, generation = self._guests, spec.generation
        async with guests.order(host, spec.server_id, generation, "rescue the guest") as found:
            record = await guests.write(found, generation=generation)
            if record.rescue and record.rescue.generation == generation:
                return await guests.run(record)
            # A volume that the guest boots from is no disk of the rescue's own.
            spec = msgspec.structs.replace(spec, volumes=())
            parts = await guests.builder.parts_make(record, spec, rescue_folder(generation), images)
            return await guests.end_and(record, run=True, rescue=Rescue(generation=generation, parts=parts))

    async def unrescue(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unrescue`."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "end the guest's rescue") as found:
            record = await guests.write(found, generation=generation)
            if record.rescue is None:
                return await guests.run(record)
            image_names = record.rescue.parts.image_names
            shown = await guests.end_and(record, run=True, rescue=None)
            guests.cache.used(image_names)
            return shown

    async def rebuild(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool, keep_disk: bool
    ) -> Guest:
        """See `Driver.guest_rebuild`."""
        guests, folder = self._guests, parts_folder(spec.generation)
        async with guests.order(host, spec.server_id, spec.generation, "rebuild the guest") as found:
            record = await guests.write(found, generation=spec.generation)
            if record.parts.folder == folder:
                return await self._as_wanted(record, run=run)
            kept = record.parts if keep_disk else None
            parts = await guests.builder.parts_make(record, spec, folder, images, disk_of=kept)
            image_names = record.image_names
            shown = await guests.end_and(
                record,
                run=run,
                spec=msgspec.structs.replace(spec, config_drive={}),
                slots=slots_for(spec.nics, spec.volumes, record.slots),
                parts=parts,
                rescue=None,
            )
            guests.cache.used(image_names)
            return shown

    async def resize(self, host: HostName, spec: GuestSpec, *, run: bool) -> Guest:
        """See `Driver.guest_resize`.

        The disk that is kept is the one before the copy. A second resize that was not decided about keeps the first one's.
        """
        guests, folder = self._guests, parts_folder(spec.generation)
        async with guests.order(host, spec.server_id, spec.generation, "resize the guest") as found:
            if 0 < spec.disk_gb < found.spec.disk_gb:
                raise ValueError(f"its disk has {found.spec.disk_gb} GiB and can't shrink to {spec.disk_gb} GiB")
            record = await guests.write(found, generation=spec.generation)
            if record.parts.folder == folder:
                return await self._as_wanted(record, run=run)
            await guests.machine(record).end()  # so that its disk is at rest while it is copied
            parts = await guests.builder.parts_grow(record, spec.disk_gb, folder)
            before = record.before_resize or BeforeResize(spec=record.spec, parts=record.parts)
            return await guests.end_and(
                record, run=run, spec=_sized(record.spec, spec), parts=parts, before_resize=before, rescue=None
            )

    async def resize_confirm(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resize_confirm`."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "confirm the guest's resize") as found:
            record = await guests.write(found, generation=generation, before_resize=None)
            await guests.tidy(record)
            return await guests.shown_now(record)

    async def resize_revert(self, host: HostName, server_id: ServerId, generation: int, *, run: bool) -> Guest:
        """See `Driver.guest_resize_revert`. Cards and volumes stay those that the guest has now."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "revert the guest's resize") as found:
            record = await guests.write(found, generation=generation)
            before = record.before_resize
            if before is None:
                return await self._as_wanted(record, run=run)
            spec = _sized(record.spec, before.spec)
            return await guests.end_and(record, run=run, spec=spec, parts=before.parts, before_resize=None)

    async def _as_wanted(self, record: GuestRecord, *, run: bool) -> Guest:
        """What there was to do is done, but perhaps not the last of it."""
        guests = self._guests
        await guests.tidy(record)
        if run:
            return await guests.run(record)
        if await guests.machine(record).look() in {PowerState.SHUTDOWN, PowerState.CRASHED}:
            return await guests.end_and(record, run=False)
        return await guests.shown_now(record)


def _sized(spec: GuestSpec, sizes: GuestSpec) -> GuestSpec:
    """A spec with the sizes of another."""
    return msgspec.structs.replace(
        spec,
        vcpus=sizes.vcpus,
        memory_mb=sizes.memory_mb,
        disk_gb=sizes.disk_gb,
        flavor_name=sizes.flavor_name,
        generation=sizes.generation,
    )
