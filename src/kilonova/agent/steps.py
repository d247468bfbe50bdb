"""What each action means to a driver: one row an action."""

from typing import Any

from kilonova.drivers.driver import Driver, ImageStore, NoSuchGuest
from kilonova.objects import host_action as do
from kilonova.objects.guest import Guest
from kilonova.objects.host_step import HostStep

Done = tuple[Guest | None, dict[str, Any]]
"""The guest afterwards, where there is one, and what the step leaves for later ones."""


async def perform(driver: Driver, step: HostStep, images: ImageStore) -> Done:
    """Do what one step says. Raises what the driver raises; but of a guest that has gone there is nothing to take back."""
    try:
        return await _performed(driver, step, images)
    except NoSuchGuest:
        if not step.undo:
            raise
        return None, {}


async def _performed(driver: Driver, step: HostStep, images: ImageStore) -> Done:
    match step.action:
        case do.Offer():
            return None, {"offer": await driver.guest_offer(step.host, step.server_id, step.generation)}
        case do.Incoming(spec=spec, shared=shared):
            return None, {"incoming": await driver.guest_incoming(step.host, spec, images, shared=shared)}
        case do.Migrate(incoming=incoming, shared=shared):
            await driver.guest_migrate(step.host, step.server_id, step.generation, incoming, shared=shared)
            return None, {}
        case do.Destroy(keep_disks=keep_disks):
            await driver.guest_destroy(step.host, step.server_id, step.generation, keep_disks=keep_disks)
            return None, {}
        case _:
            return await _made(driver, step, images) or await _changed(driver, step, images), {}


async def _made(driver: Driver, step: HostStep, images: ImageStore) -> Guest | None:
    """Actions that come with a guest's spec; None for another one."""
    match step.action:
        case do.Spawn(spec=spec, run=run):
            return await driver.guest_ensure(step.host, spec, images, run=run)
        case do.Rescue(spec=spec):
            return await driver.guest_rescue(step.host, spec, images)
        case do.Rebuild():
            return await _rebuilt(driver, step, step.action, images)
        case do.Resize(spec=spec, run=run):
            return await driver.guest_resize(step.host, spec, run=run)
        case do.Receive(spec=spec, offer=offer, run=run):
            return await driver.guest_receive(step.host, spec, offer, images, run=run)
        case _:
            return None


async def _rebuilt(driver: Driver, step: HostStep, rebuild: do.Rebuild, images: ImageStore) -> Guest:
    """Rebuild a guest, or make it where it is gone: nothing that it had is to be kept, or all that is lies on volumes."""
    try:
        return await driver.guest_rebuild(step.host, rebuild.spec, images, run=rebuild.run, keep_disk=rebuild.keep_disk)
    except NoSuchGuest:
        if rebuild.keep_disk and not any(volume.boot for volume in rebuild.spec.volumes):
            raise
        return await driver.guest_ensure(step.host, rebuild.spec, images, run=rebuild.run)


async def _changed(driver: Driver, step: HostStep, images: ImageStore) -> Guest | None:  # noqa: C901, PLR0911, PLR0912 - a table
    """Actions on a guest that is there."""
    guest = (step.host, step.server_id, step.generation)
    match step.action:
        case do.Start():
            return await driver.guest_start(*guest)
        case do.Stop(grace_s=grace_s):
            return await driver.guest_stop(*guest, grace_s)
        case do.Reboot(hard=hard):
            return await driver.guest_reboot(*guest, hard=hard)
        case do.Pause():
            return await driver.guest_pause(*guest)
        case do.Unpause():
            return await driver.guest_unpause(*guest)
        case do.Suspend():
            return await driver.guest_suspend(*guest)
        case do.Resume():
            return await driver.guest_resume(*guest)
        case do.Unrescue():
            return await driver.guest_unrescue(*guest)
        case do.ResizeConfirm():
            return await driver.guest_resize_confirm(*guest)
        case do.ResizeRevert(run=run):
            return await driver.guest_resize_revert(*guest, run=run)
        case do.SetPassword(password=password):
            return await driver.guest_password_set(*guest, password)
        case do.CrashDump():
            return await driver.guest_crash_dump(*guest)
        case do.Snapshot(image_id=image_id, disk_format=disk_format):
            return await driver.guest_snapshot(*guest, image_id, disk_format, images)
        case do.NicAttach(nic=nic):
            return await driver.nic_attach(*guest, nic)
        case do.NicDetach(port_id=port_id):
            return await driver.nic_detach(*guest, port_id)
        case do.VolumeAttach(volume=volume):
            return await driver.volume_attach(*guest, volume)
        case do.VolumeDetach(volume_id=volume_id):
            return await driver.volume_detach(*guest, volume_id)
        case do.VolumeSwap(volume_id=volume_id, new=new):
            return await driver.volume_swap(*guest, volume_id, new)
        case do.OfferEnd():
            return await driver.guest_offer_end(*guest)
        case do.Arrived():
            return await driver.guest_arrived(*guest)
        case _:
            raise AssertionError(f"no driver call for {step.action}")
