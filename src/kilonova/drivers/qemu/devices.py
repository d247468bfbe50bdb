"""Cards and volumes that are plugged in and out, of guests that run and of those that don't.

Plugging in writes the record first, so that the device is there after each start. Plugging out takes it from the record last,
once the guest has let it go: a guest may keep it, and then it is still there.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from kilonova.drivers.qemu.builder import slots_for
from kilonova.drivers.qemu.command import nic_device, nic_name, volume_device, volume_name
from kilonova.drivers.qemu.guest_dir import GuestRecord
from kilonova.drivers.qemu.guests import Guests, check_machine
from kilonova.drivers.qemu.jobs import job_end, job_wait
from kilonova.drivers.qemu.machine import LOOK_EVERY_S, MachineFailure
from kilonova.drivers.qemu.monitor import MonitorRefused, monitor_open
from kilonova.drivers.qemu.networking import netdev_name, netdev_options, ssh_nic
from kilonova.drivers.qemu.process import process_alive
from kilonova.drivers.qemu.volumes import node_name, volume_node, volume_open
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestNic, GuestVolume

UNPLUG_S = 20.0
"""How long a guest may take to let a device go."""
ASK_AGAIN_S = 5.0
"""It is asked again: a guest that was still booting has not heard the first time."""

_SWAP = "swap"


class Devices:
    """For the methods' meaning see `Driver`, whose names they have."""

    def __init__(self, guests: Guests, unplug_s: float) -> None:
        """Work on `guests`, and wait `unplug_s` seconds for a guest to let a device go."""
        self._guests = guests
        self._unplug_s = unplug_s

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: GuestNic) -> Guest:
        """See `Driver.nic_attach`."""
        async with self._guests.order(host, server_id, generation, "plug the card in") as found:
            self._check(found)
            others = tuple(other for other in found.spec.nics if other.port_id != nic.port_id)
            nics = found.spec.nics if len(others) < len(found.spec.nics) else (*others, nic)
            record = await self._written(found, generation, nics, found.spec.volumes)
            if self._runs(record):
                record = record if record.ssh_port else await self._guests.with_free_port(record)
                await self._nic_plug(record, nic)
            return await self._guests.shown_now(record)

    async def nic_detach(self, host: HostName, server_id: ServerId, generation: int, port_id: str) -> Guest:
        """See `Driver.nic_detach`."""
        async with self._guests.order(host, server_id, generation, "unplug the card") as found:
            record = await self._guests.write(found, generation=generation)
            nics = tuple(nic for nic in record.spec.nics if nic.port_id != port_id)
            if len(nics) == len(record.spec.nics):
                return await self._guests.shown_now(record)
            self._check(record)
            if self._runs(record):
                slot = record.slots[port_id]
                await self._unplug(record, nic_name(slot))
                async with monitor_open(self._directory(record)) as monitor:
                    with suppress(MonitorRefused):  # a repetition finds it gone
                        await monitor.execute("netdev_del", id=netdev_name(slot))
            return await self._guests.shown_now(await self._written(record, generation, nics, record.spec.volumes))

    async def volume_attach(self, host: HostName, server_id: ServerId, generation: int, volume: GuestVolume) -> Guest:
        """See `Driver.volume_attach`."""
        async with self._guests.order(host, server_id, generation, "plug the volume in") as found:
            self._check(found)
            await self._check_volume(volume)
            record = await self._guests.write(found, generation=generation)
            if all(other.volume_id != volume.volume_id for other in record.spec.volumes):
                record = await self._written(record, generation, record.spec.nics, (*record.spec.volumes, volume))
            if self._runs(record) and not volume.boot:
                await self._volume_plug(record, volume)
            return await self._guests.shown_now(record)

    async def volume_detach(self, host: HostName, server_id: ServerId, generation: int, volume_id: str) -> Guest:
        """See `Driver.volume_detach`."""
        async with self._guests.order(host, server_id, generation, "unplug the volume") as found:
            record = await self._guests.write(found, generation=generation)
            volumes = tuple(volume for volume in record.spec.volumes if volume.volume_id != volume_id)
            if len(volumes) == len(record.spec.volumes):
                return await self._guests.shown_now(record)
            self._check(record)
            if self._runs(record):
                if volume_id not in record.slots:
                    raise MachineFailure("the guest runs from it")
                await self._unplug(record, volume_name(record.slots[volume_id]))
                await self._node_remove(record, node_name(volume_id))
            return await self._guests.shown_now(await self._written(record, generation, record.spec.nics, volumes))

    async def volume_swap(
        self, host: HostName, server_id: ServerId, generation: int, volume_id: str, new: GuestVolume
    ) -> Guest:
        """See `Driver.volume_swap`.

        Once the copy is complete each write goes to both volumes; only then the record says `new`, and only then the guest
        goes on with it. So whichever of them it starts from after a crash has everything.
        """
        async with self._guests.order(host, server_id, generation, "exchange the volume") as found:
            self._check(found)
            volumes = {volume.volume_id: volume for volume in found.spec.volumes}
            old = volumes.get(volume_id)
            if old is None and new.volume_id not in volumes:
                raise MachineFailure(f"there is no volume {volume_id} in it")
            if old is not None and not self._runs(found):
                raise MachineFailure("volumes are exchanged while the guest runs")
            record = await self._guests.write(found, generation=generation)
            if not self._runs(record):
                return await self._guests.shown_now(record)
            if old is not None:
                await self._mirror(record, old, new)
                record = await self._swap_written(record, generation, old, new)
            await self._swap_complete(record, node_name(volume_id))
            return await self._guests.shown_now(record)

    async def _nic_plug(self, record: GuestRecord, nic: GuestNic) -> None:
        index, slot = [other.port_id for other in record.spec.nics].index(nic.port_id), record.slots[nic.port_id]
        port = record.ssh_port if index == ssh_nic(record.spec.nics) else None
        async with monitor_open(self._directory(record)) as monitor:
            if nic_name(slot) in await monitor.devices():
                return
            with suppress(MonitorRefused):  # there is one only after a crash
                await monitor.execute("netdev_del", id=netdev_name(slot))
            await monitor.execute_with("netdev_add", netdev_options(slot, nic, port))
            await monitor.execute_with("device_add", nic_device(slot, nic))

    async def _volume_plug(self, record: GuestRecord, volume: GuestVolume) -> None:
        slot = record.slots[volume.volume_id]
        async with monitor_open(self._directory(record)) as monitor:
            if volume_name(slot) in await monitor.devices():
                return
        await self._node_add(record, volume)
        async with monitor_open(self._directory(record)) as monitor:
            await monitor.execute_with("device_add", volume_device(slot, volume))

    async def _node_add(self, record: GuestRecord, volume: GuestVolume) -> None:
        """Have QEMU open a volume, as a block node that no device uses yet."""
        descriptor = await self._open(volume)
        try:
            async with monitor_open(self._directory(record)) as monitor:
                if node_name(volume.volume_id) in await monitor.nodes():
                    return
                number = None if descriptor is None else await monitor.descriptor_set(descriptor)
                await monitor.execute_with("blockdev-add", volume_node(volume, descriptor, number))
        finally:
            if descriptor is not None:
                os.close(descriptor)

    async def _node_remove(self, record: GuestRecord, node: str) -> None:
        async with monitor_open(self._directory(record)) as monitor:
            if node in await monitor.nodes():
                await monitor.execute("blockdev-del", node_name=node)

    async def _unplug(self, record: GuestRecord, device: str) -> None:
        """Ask the guest to let a device go and wait until it has. Raises `MachineFailure` when it keeps it."""
        runtime = self._guests.runtime
        give_up = runtime.monotonic() + self._unplug_s
        ask = 0.0
        while (now := runtime.monotonic()) < give_up:
            async with monitor_open(self._directory(record)) as monitor:
                if device not in await monitor.devices():
                    return
                if now >= ask:
                    with suppress(MonitorRefused):  # the guest has been asked and not answered yet
                        await monitor.execute("device_del", id=device)
                    ask = now + ASK_AGAIN_S
            await runtime.sleep(LOOK_EVERY_S)
        raise MachineFailure(f"the guest has kept it for {self._unplug_s:.0f} s")

    async def _mirror(self, record: GuestRecord, old: GuestVolume, new: GuestVolume) -> None:
        """Copy, until each write goes to both."""
        directory = self._directory(record)
        await job_end(self._guests.runtime, directory, _SWAP)
        await self._node_add(record, new)
        try:
            async with monitor_open(directory) as monitor:
                await monitor.execute(
                    "blockdev-mirror",
                    job_id=_SWAP,
                    device=node_name(old.volume_id),
                    target=node_name(new.volume_id),
                    sync="full",
                    copy_mode="write-blocking",
                    auto_dismiss=False,
                )
            await job_wait(self._guests.runtime, directory, _SWAP)
        except BaseException:
            await job_end(self._guests.runtime, directory, _SWAP)
            await self._node_remove(record, node_name(new.volume_id))
            raise

    async def _swap_written(
        self, record: GuestRecord, generation: int, old: GuestVolume, new: GuestVolume
    ) -> GuestRecord:
        same_place = msgspec.structs.replace(new, device=old.device, boot=old.boot)
        volumes = tuple(same_place if volume is old else volume for volume in record.spec.volumes)
        slots = dict(record.slots)
        if old.volume_id in slots:
            slots[new.volume_id] = slots.pop(old.volume_id)
        spec = msgspec.structs.replace(record.spec, volumes=volumes)
        return await self._guests.write(record, generation=generation, spec=spec, slots=slots)

    async def _swap_complete(self, record: GuestRecord, old_node: str) -> None:
        """Let the guest go on with the copy, if it hasn't yet, and let the old volume go."""
        directory = self._directory(record)
        async with monitor_open(directory) as monitor:
            job = await monitor.job(_SWAP)
            if job and job["status"] == "ready":
                await monitor.execute("job-complete", id=_SWAP)
        while job:
            async with monitor_open(directory) as monitor:
                job = await monitor.job(_SWAP)
                if job and job["status"] == "concluded":
                    await monitor.execute("job-dismiss", id=_SWAP)
                    if job.get("error"):
                        raise MachineFailure(f"QEMU could not copy the disk: {job['error']}")
                    break
            await self._guests.runtime.sleep(LOOK_EVERY_S)
        await self._node_remove(record, old_node)

    async def _open(self, volume: GuestVolume) -> int | None:
        return await self._guests.runtime.run_blocking(volume_open, volume, self._guests.volumes)

    async def _written(
        self, record: GuestRecord, generation: int, nics: Sequence[GuestNic], volumes: Sequence[GuestVolume]
    ) -> GuestRecord:
        spec = msgspec.structs.replace(record.spec, nics=tuple(nics), volumes=tuple(volumes))
        slots = slots_for(nics, volumes, record.slots)
        return await self._guests.write(record, generation=generation, spec=spec, slots=slots)

    async def _check_volume(self, volume: GuestVolume) -> None:
        """Raises what opening it raises, before the record says anything."""
        descriptor = await self._open(volume)
        if descriptor is not None:
            os.close(descriptor)

    def _check(self, record: GuestRecord) -> None:
        if record.suspended:
            raise MachineFailure("a suspended guest must stay as its memory knows it; resume it first")
        if self._runs(record):
            check_machine(record)

    def _runs(self, record: GuestRecord) -> bool:
        return process_alive(self._directory(record))

    def _directory(self, record: GuestRecord) -> Path:
        return self._guests.dirs.path(record.server_id)
