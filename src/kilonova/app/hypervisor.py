"""Which hypervisor a cloud has: as asked for, else as before, else QEMU where there is one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from kilonova.app.config import Up
from kilonova.app.state import Made, State
from kilonova.drivers.driver import Driver
from kilonova.kernel.errors import Conflict, Invalid
from kilonova.kernel.ids import HostName
from kilonova.runtime.runtime import Runtime

NO_QEMU = "QEMU is not installed, so the hypervisor is fake. Install qemu-system-x86 and qemu-utils for real servers."


class StateMismatch(Conflict):
    """The state directory {path} was made with {option} {made}, and {given} is asked for.

    Leave the option out, or choose another directory with --state.
    """

    code = "state-mismatch"


class TooManyHosts(Invalid):
    """This machine has {vcpus} processors to share out, so it can't be {hosts} QEMU hosts; give --hosts {vcpus} or fewer."""

    code = "too-many-hosts"


@dataclass(frozen=True)
class Shape:
    """What a cloud is made with."""

    driver: str
    hosts: int
    cells: int
    notices: tuple[str, ...] = ()

    @property
    def apart(self) -> bool:
        """Whether each host is a process of its own."""
        return self.driver == "qemu" and self.hosts > 1


def shape(up: Up, state: State) -> Shape:
    """What to make the cloud with.

    Raises:
        StateMismatch: the state directory has something else.
        TooManyHosts: the machine is too small for as many.
    """
    found = _shape(up, state)
    if found.apart:
        from kilonova.drivers.qemu.resources import vcpus  # noqa: PLC0415 - only one of the drivers is needed

        if found.hosts > vcpus():
            raise TooManyHosts(vcpus=vcpus(), hosts=found.hosts)
    return found


def _shape(up: Up, state: State) -> Shape:
    made = state.made
    if made is None:
        driver = up.driver if up.driver != "auto" else _available()
        notices = (NO_QEMU,) if up.driver == "auto" and driver == "fake" else ()
        return Shape(driver, 1 if up.hosts is None else up.hosts, 1 if up.cells is None else up.cells, notices)
    _check(up, made, state)
    return Shape(made.driver, made.hosts if up.hosts is None else up.hosts, up.cells or made.cells)


def make(shape_: Shape, state: State, runtime: Runtime, *, volumes: Path | None = None) -> Driver:
    """The driver of a cloud whose hosts are in one process, not started yet; `volumes` is where files that are volumes lie."""
    assert not shape_.apart
    folder = state.folder("hypervisor")
    if shape_.driver == "fake":
        from kilonova.drivers.fake.driver import FakeDriver  # noqa: PLC0415 - only one of the drivers is needed

        return FakeDriver(runtime, folder / "fake.sqlite", shape_.hosts)
    from kilonova.drivers.qemu.driver import QemuDriver  # noqa: PLC0415 - only one of the drivers is needed

    return QemuDriver(runtime, folder, volumes=volumes)


def hosts_apart(shape_: Shape, state: State) -> dict[HostName, Path]:
    """The hosts of a cloud with a process for each, named after the machine, and the directory of each."""
    from kilonova.drivers.qemu.guests import host_remembered  # noqa: PLC0415 - only one of the drivers is needed

    folder = state.folder("hypervisor")
    machine = host_remembered(folder)
    return {HostName(f"{machine}-{number}"): folder / f"host-{number}" for number in range(1, shape_.hosts + 1)}


def storage_of(state: State) -> Path:
    """Where hosts of their own keep disks that they share."""
    return state.folder("hypervisor") / "storage"


async def end_guests(state: State, runtime: Runtime) -> None:
    """End every guest of a cloud that doesn't run: they outlive it otherwise."""
    shape_ = _shape(Up(), state)
    if not shape_.apart:
        await _end_guests_of(make(shape_, state, runtime))
        return
    from kilonova.app.host_process import host_driver, host_lock  # noqa: PLC0415 - only for hosts apart

    for number, (host, folder) in enumerate(hosts_apart(shape_, state).items(), 1):
        if folder.exists():
            async with host_lock(folder, runtime):
                await _end_guests_of(host_driver(folder, runtime, host, number, shape_.hosts, None))


async def _end_guests_of(driver: Driver) -> None:
    await driver.start()
    try:
        for guest in await driver.guests():
            await driver.guest_destroy(guest.host, guest.server_id, guest.generation)
    finally:
        await driver.close()


def _available() -> str:
    return "qemu" if shutil.which("qemu-system-x86_64") else "fake"


def _check(up: Up, made: Made, state: State) -> None:
    if up.driver not in {"auto", made.driver}:
        raise StateMismatch(path=state.path, option="--driver", made=made.driver, given=up.driver)
    if made.driver == "qemu" and up.hosts is not None and up.hosts != made.hosts:
        raise StateMismatch(path=state.path, option="--hosts", made=made.hosts, given=up.hosts)
    if up.cells is not None and up.cells < made.cells:
        raise StateMismatch(path=state.path, option="--cells", made=made.cells, given=up.cells)
