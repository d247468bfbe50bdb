"""Guests made, run, stopped, restarted and ended, and how each of them is now."""

from kilonova.drivers.driver import ImageSource, NoGuestAgent
from kilonova.drivers.qemu.guest_agent import AgentRefused, AgentSilent, password_set
from kilonova.drivers.qemu.guest_dir import ABORT, GuestRecord
from kilonova.drivers.qemu.guests import Guests, check_machine
from kilonova.drivers.qemu.machine import MachineFailure
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState

ADMINISTRATOR = "root"
"""Whose password is set inside a guest."""
_SYNC_IDS = 1 << 31


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
            if record is None or self._guests.forget_vanished(record):
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
                    left = guests.storage.taken(spec.server_id) if guests.storage else None
                    others = guests.records.values()
                    record = await guests.builder.build(spec, images, others, run=run, received=left)
                    guests.records[spec.server_id] = record
                    await guests.keep(record)
                guests.check_generation(record, spec.generation)
                if not run:
                    return await guests.shown_now(await guests.write(record, generation=spec.generation))
                return await guests.run(record, generation=spec.generation)

    async def destroy(self, host: HostName, server_id: ServerId, generation: int, *, keep_disks: bool) -> None:
        """See `Driver.guest_destroy`."""
        guests = self._guests
        guests.check(host, server_id, "destroy the guest")
        found = guests.records.get(server_id)
        if found is not None and found.generation <= generation:
            guests.migration_ask(server_id, ABORT)  # it would hold the lock to its end
        async with guests.lock(server_id):
            record = guests.records.get(server_id)
            if record is None:
                return
            guests.check_generation(record, generation)
            with guests.failures("destroy the guest"):
                record = await guests.write(record, generation=generation, running=False)
                await guests.remove(record, keep_disks=keep_disks)

    async def start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        async with self._guests.order(host, server_id, generation, "start the guest") as found:
            return await self._guests.run(found, generation=generation, paused=False)

    async def stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        async with self._guests.order(host, server_id, generation, "stop the guest") as found:
            record = await self._guests.write(found, generation=generation, running=False)
            if not record.paused:
                await self._guests.machine(record).shut_down(grace_s)
            return await self._guests.end_and(record, run=False)

    async def reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`.

        Soft presses the power button and starts anew what shut down, or resets what didn't in time.

        A crash amid a soft reboot may repeat it; a hard one is never done twice.
        """
        async with self._guests.order(host, server_id, generation, "reboot the guest") as found:
            record = found
            if record.rebooted != generation:
                changes = {"generation": generation, "running": True, "paused": False, "suspended": False}
                record = await self._guests.write(record, **changes)
                if hard or not await self._guests.machine(record).restart(self._soft_reboot_grace_s):
                    await self._guests.machine(record).end()
                record = await self._guests.write(record, rebooted=generation)
            return await self._guests.run(record)

    async def pause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_pause`."""
        async with self._guests.order(host, server_id, generation, "pause the guest") as found:
            await self._check_runs(found)
            record = await self._guests.write(found, generation=generation, paused=True)
            return self._guests.shown(record, await self._guests.machine(record).stand_still())

    async def unpause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unpause`."""
        async with self._guests.order(host, server_id, generation, "unpause the guest") as found:
            await self._check_runs(found)
            record = await self._guests.write(found, generation=generation, paused=False)
            return self._guests.shown(record, await self._guests.machine(record).go_on())

    async def suspend(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_suspend`.

        The guest stands still from before its memory is written until that is known to be on disk. A crash in between
        leaves it standing, and both a repetition and `resume` go on from there.
        """
        guests = self._guests
        async with guests.order(host, server_id, generation, "suspend the guest") as found:
            if not found.suspended:
                await self._check_runs(found)
            check_machine(found)
            record = await guests.write(found, generation=generation)
            if not record.suspended:
                record = await self._memory_save(record)
            await guests.machine(record).end()
            return await guests.shown_now(record)

    async def _memory_save(self, record: GuestRecord) -> GuestRecord:
        machine = self._guests.machine(record)
        try:
            await machine.memory_save(self._guests.emulator.version)
        except BaseException:
            if not record.paused:
                await machine.go_on()
            raise
        return await self._guests.write(record, running=False, suspended=True)

    async def resume(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resume`.

        The memory is given up for good by the record, before the guest goes on: it must never go on from it twice.
        """
        guests = self._guests
        async with guests.order(host, server_id, generation, "resume the guest") as found:
            if not found.suspended and not found.running:
                raise MachineFailure("it is not suspended")
            record = await guests.write(found, generation=generation)
            if record.suspended:
                await guests.machine(record).end()
                record = await guests.with_free_port(record)
                await guests.machine(record).launch(guests.emulator, guests.volumes)
            shown = await guests.run(record, paused=False)
            await guests.tidy(guests.records[server_id])
            return shown

    async def crash_dump(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_crash_dump`."""
        async with self._guests.order(host, server_id, generation, "interrupt the guest") as found:
            await self._check_runs(found)
            record = await self._guests.write(found, generation=generation)
            return self._guests.shown(record, await self._guests.machine(record).interrupt())

    async def password_set(self, host: HostName, server_id: ServerId, generation: int, password: str) -> Guest:
        """See `Driver.guest_password_set`."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "set the password") as found:
            await self._check_runs(found)
            record = await guests.write(found, generation=generation)
            sync_id = int(guests.runtime.random() * _SYNC_IDS)
            try:
                await password_set(guests.dirs.path(server_id), ADMINISTRATOR, password, sync_id)
            except AgentSilent as error:
                raise NoGuestAgent(server_id=server_id, host=host, action="setting the password") from error
            except AgentRefused as error:
                raise MachineFailure(f"the guest agent could not do it: {error}") from error
            return await guests.shown_now(record)

    async def _check_runs(self, record: GuestRecord) -> None:
        """Before anything is written: what is refused changes nothing."""
        if await self._guests.machine(record).look() not in {PowerState.RUNNING, PowerState.PAUSED}:
            raise MachineFailure("it doesn't run")
