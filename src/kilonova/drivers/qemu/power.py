"""Guests made, run, stopped, restarted and ended, and how each of them is now."""

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu.guest_dir import GuestRecord
from kilonova.drivers.qemu.guests import Guests
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState


class Power:
    """What is done to whole guests. For the methods' meaning see `Driver`, whose names they have."""

    def __init__(self, guests: Guests, soft_reboot_grace_s: float) -> None:
        """Work on `guests`; a soft reboot waits this many seconds for the guest to shut down."""
        self._guests = guests
        self._soft_reboot_grace_s = soft_reboot_grace_s

    async def look(self, server_id: ServerId) -> Guest | None:
        """The guest now; None when it was destroyed in the meantime.

        Brings in console output, and ends the QEMU of a guest that has shut itself down.
        """
        lock = self._guests.lock(server_id)
        if lock.locked():
            return await self._look_amid_order(server_id)
        async with lock:
            record = self._guests.records.get(server_id)
            if record is None:
                return None
            state = await self._guests.machine(record).look()
            if record.running and state is PowerState.SHUTDOWN:
                record = await self._settle(record)
            return self._guests.shown(record, state)

    async def _look_amid_order(self, server_id: ServerId) -> Guest | None:
        """The guest while an order works on it. Not running means nothing then: it may be about to start."""
        before = self._guests.records.get(server_id)
        if before is None:
            return None
        state = await self._guests.machine(before).look()
        record = self._guests.records.get(server_id)
        if record is None:
            return None
        return self._guests.shown(record, PowerState.NOSTATE if state is PowerState.CRASHED else state)

    async def _settle(self, record: GuestRecord) -> GuestRecord:
        """The guest has shut itself down, so from now on it shall not run."""
        record = await self._guests.write(record, running=False)
        with self._guests.failures("end the guest"):
            await self._guests.machine(record).end()
        return record

    async def ensure(self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool) -> Guest:
        """See `Driver.guest_ensure`."""
        guests = self._guests
        guests.check(host, spec.server_id, "make the guest")
        async with guests.lock(spec.server_id):
            record = guests.records.get(spec.server_id)
            with guests.failures("make the guest"):
                if record is None:
                    record = await guests.builder.build(spec, images, guests.records.values())
                    guests.records[spec.server_id] = record
                guests.check_generation(record, spec.generation)
                if not run:
                    record = await guests.write(record, generation=spec.generation)
                    return guests.shown(record, await guests.machine(record).look())
                record = await guests.write(record, generation=spec.generation, running=True)
                return await guests.run(record)

    async def destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """See `Driver.guest_destroy`."""
        guests = self._guests
        guests.check(host, server_id, "destroy the guest")
        async with guests.lock(server_id):
            record = guests.records.get(server_id)
            if record is None:
                return
            guests.check_generation(record, generation)
            with guests.failures("destroy the guest"):
                record = await guests.write(record, generation=generation, running=False)
                await guests.machine(record).end()
                await guests.runtime.run_blocking(guests.dirs.remove, server_id)
                guests.cache.used(record.image_names)
            del guests.records[server_id]

    async def start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        async with self._guests.order(host, server_id, generation, "start the guest") as found:
            return await self._guests.run(await self._guests.write(found, generation=generation, running=True))

    async def stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        async with self._guests.order(host, server_id, generation, "stop the guest") as found:
            record = await self._guests.write(found, generation=generation, running=False)
            await self._guests.machine(record).shut_down(grace_s)
            await self._guests.machine(record).end()
            return self._guests.shown(record, PowerState.SHUTDOWN)

    async def reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`.

        Soft presses the power button and starts anew what shut down, or resets what didn't in time.

        A crash amid a soft reboot may repeat it; a hard one is never done twice.
        """
        async with self._guests.order(host, server_id, generation, "reboot the guest") as found:
            record = found
            if record.rebooted != generation:
                record = await self._guests.write(record, generation=generation, running=True)
                if hard or not await self._guests.machine(record).restart(self._soft_reboot_grace_s):
                    await self._guests.machine(record).end()
                record = await self._guests.write(record, rebooted=generation)
            return await self._guests.run(record)
