"""QEMU's block jobs: copies that go on while the guest uses its disks (QEMU's QMP reference, "Background jobs")."""

from contextlib import suppress
from pathlib import Path

from kilonova.drivers.qemu.machine import LOOK_EVERY_S, MachineFailure
from kilonova.drivers.qemu.monitor import MonitorRefused, MonitorUnreachable, monitor_open
from kilonova.runtime.runtime import Runtime


async def job_wait(runtime: Runtime, directory: Path, job_id: str) -> str:
    """Wait until a job is done or ready to be completed; which of it: `concluded` or `ready`.

    Raises:
        MachineFailure: it failed, or there is none.
        MonitorUnreachable: QEMU ended.
    """
    while True:
        async with monitor_open(directory) as monitor:
            job = await monitor.job(job_id)
        if job is None:
            raise MachineFailure("QEMU gave up copying the disk")
        if job.get("error"):
            raise MachineFailure(f"QEMU could not copy the disk: {job['error']}")
        if job["status"] in {"concluded", "ready"}:
            return str(job["status"])
        await runtime.sleep(LOOK_EVERY_S)


async def job_end(runtime: Runtime, directory: Path, job_id: str) -> None:
    """Cancel a job if there is one, and wait until it is gone. A QEMU that doesn't answer has none that matters."""
    try:
        while True:
            async with monitor_open(directory) as monitor:
                job = await monitor.job(job_id)
                if job is None:
                    return
                if job["status"] == "concluded":
                    await monitor.execute("job-dismiss", id=job_id)
                    return
                with suppress(MonitorRefused):  # it is ending already
                    await monitor.execute("block-job-cancel", device=job_id, force=True)
            await runtime.sleep(LOOK_EVERY_S)
    except MonitorUnreachable:
        return
