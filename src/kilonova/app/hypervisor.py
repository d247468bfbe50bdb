"""Which hypervisor a cloud has: as asked for, else as before, else QEMU where there is one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from kilonova.app.config import Fake, Up
from kilonova.app.fake_hosts import fake_driver
from kilonova.app.state import Made, State
from kilonova.app.state_lock import lock_held
from kilonova.drivers.driver import Driver
from kilonova.kernel.errors import Conflict, Invalid
from kilonova.kernel.ids import HostName
from kilonova.runtime.runtime import Runtime

FAKE_FILE = "fake.sqlite"
"""In the directory of the hypervisor: the guests of all fake hosts."""
NO_QEMU = "QEMU is not installed, so the hypervisor is fake. Install qemu-system-x86 and qemu-utils for real servers."


class StateMismatch(Conflict):
    """The state directory {path} was made with {option} {made}, and {given} is asked for.

    Leave the option out, or choose another directory with --state.
    """

    code = "state-mismatch"


PROCESSES_MAX = 100
"""Fake hosts with an agent process each."""


class TooManyProcesses(Invalid):
    """{hosts} hosts can't each have a process: with `agents_apart` there are {most} at most. Give --hosts {most} or fewer."""

    code = "too-many-processes"


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
    fake_apart: bool = False
    """Whether each fake host is a process of its own."""

    @property
    def apart(self) -> bool:
        """Whether each host is a process of its own."""
        return self.fake_apart if self.driver == "fake" else self.hosts > 1


def shape(up: Up, state: State) -> Shape:
    """What to make the cloud with.

    Raises:
        StateMismatch: the state directory has something else.
        TooManyHosts: the machine is too small for as many.
        TooManyProcesses: each would be a process.
    """
    found = _shape(up, state)
    if found.fake_apart and found.hosts > PROCESSES_MAX:
        raise TooManyProcesses(hosts=found.hosts, most=PROCESSES_MAX)
    if found.apart and found.driver == "qemu":
        from kilonova.drivers.qemu.resources import vcpus  # noqa: PLC0415 - only one of the drivers is needed

        if found.hosts > vcpus():
            raise TooManyHosts(vcpus=vcpus(), hosts=found.hosts)
    return found


def _shape(up: Up, state: State) -> Shape:
    made = state.made
    if made is None:
        driver = up.driver if up.driver != "auto" else _available()
        notices = (NO_QEMU,) if up.driver == "auto" and driver == "fake" else ()
        hosts = 1 if up.hosts is None else up.hosts
        fake_apart = driver == "fake" and up.agents_apart
        return Shape(driver, hosts, 1 if up.cells is None else up.cells, notices, fake_apart)
    _check(up, made, state)
    hosts = made.hosts if up.hosts is None else up.hosts
    fake_apart = made.driver == "fake" and up.agents_apart
    return Shape(made.driver, hosts, up.cells or made.cells, fake_apart=fake_apart)


def make(
    shape_: Shape, state: State, runtime: Runtime, *, fake: Fake | None = None, volumes: Path | None = None
) -> Driver:
    """The driver of a cloud whose hosts are in one process, not started yet.

    Fake hosts are as `fake` says; `volumes` is where files that are volumes lie.
    """
    assert not shape_.apart
    folder = state.folder("hypervisor")
    if shape_.driver == "fake":
        return fake_driver(runtime, folder / FAKE_FILE, shape_.hosts, fake or Fake())
    from kilonova.drivers.qemu.driver import QemuDriver  # noqa: PLC0415 - only one of the drivers is needed

    return QemuDriver(runtime, folder, volumes=volumes)


def hosts_apart(shape_: Shape, state: State) -> dict[HostName, Path]:
    """The hosts of a cloud with a process for each, and the directory of each. QEMU hosts are named after the machine."""
    folder = state.folder("hypervisor")
    folders = [folder / f"host-{number}" for number in range(1, shape_.hosts + 1)]
    if shape_.driver == "fake":
        from kilonova.drivers.fake.driver import host_names  # noqa: PLC0415 - only one of the drivers is needed

        return dict(zip(host_names(shape_.hosts), folders, strict=True))
    from kilonova.drivers.qemu.guests import host_remembered  # noqa: PLC0415 - only one of the drivers is needed

    machine = host_remembered(folder)
    return {HostName(f"{machine}-{number}"): its for number, its in enumerate(folders, 1)}


def fake_file_made(state: State, runtime: Runtime) -> Path:
    """The file with the guests of all fake hosts, made before several processes use it."""
    from kilonova.drivers.fake.store import FakeStore  # noqa: PLC0415 - only one of the drivers is needed

    path = state.folder("hypervisor") / FAKE_FILE
    FakeStore(path, (), shared=False, now=runtime.now).close()
    return path


def storage_of(state: State) -> Path:
    """Where hosts of their own keep disks that they share."""
    return state.folder("hypervisor") / "storage"


async def end_guests(state: State, runtime: Runtime) -> None:
    """End every guest of a cloud that doesn't run: they outlive it otherwise."""
    shape_ = _shape(Up(), state)
    if not shape_.apart:
        await _end_guests_of(make(shape_, state, runtime))
        return
    from kilonova.app.host_process import qemu_host  # noqa: PLC0415 - only for hosts apart

    for number, (host, folder) in enumerate(hosts_apart(shape_, state).items(), 1):
        if folder.exists():
            async with lock_held(folder / "lock", runtime):
                await _end_guests_of(qemu_host(folder, runtime, host, number, shape_.hosts, None))


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
