"""What each host step means to a driver: one row a step."""

from kilonova.drivers.driver import Driver, HypervisorFailure, ImageSource
from kilonova.objects.guest import Guest
from kilonova.objects.host_step import HostStep
from kilonova.operations.stop import GRACE_S


async def perform(driver: Driver, step: HostStep, images: ImageSource) -> Guest | None:
    """Do one step, or undo it; the guest afterwards, where there is one. Raises what the driver raises."""
    host, server_id, generation = step.host, step.server_id, step.generation
    match step.kind, step.step, step.undo:
        case ("boot", "spawn", False):
            assert step.spec is not None, "a spawn comes with its guest's spec"
            return await driver.guest_ensure(host, step.spec, images)
        case ("boot", "spawn", True) | ("delete", "destroy", False):
            await driver.guest_destroy(host, server_id, generation)
            return None
        case ("stop", "power_off", False):
            return await driver.guest_stop(host, server_id, generation, GRACE_S)
        case ("start", "power_on", False):
            return await driver.guest_start(host, server_id, generation)
        case ("reboot", "reboot", False):
            return await driver.guest_reboot(host, server_id, generation, hard=False)
        case ("reboot_hard", "reboot", False):
            return await driver.guest_reboot(host, server_id, generation, hard=True)
        case _:
            raise HypervisorFailure(host=host, action=step.step, reason=f"this agent knows no such step of {step.kind}")
