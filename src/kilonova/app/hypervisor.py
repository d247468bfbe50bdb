"""Which hypervisor a cloud has: as asked for, else as before, else QEMU where there is one."""

import shutil
from dataclasses import dataclass

from kilonova.app.config import Up
from kilonova.app.state import Made, State
from kilonova.drivers.driver import Driver
from kilonova.kernel.errors import Conflict
from kilonova.runtime.runtime import Runtime

NO_QEMU = "QEMU is not installed, so the hypervisor is fake. Install qemu-system-x86 and qemu-utils for real servers."


class StateMismatch(Conflict):
    """The state directory {path} was made with {option} {made}, and {given} is asked for.

    Leave the option out, or choose another directory with --state.
    """

    code = "state-mismatch"


@dataclass(frozen=True)
class Shape:
    """What a cloud is made with."""

    driver: str
    hosts: int
    cells: int
    notices: tuple[str, ...] = ()


def shape(up: Up, state: State) -> Shape:
    """What to make the cloud with. Raises `StateMismatch` where the state directory has something else."""
    made = state.made
    if made is None:
        driver = up.driver if up.driver != "auto" else _available()
        notices = (NO_QEMU,) if up.driver == "auto" and driver == "fake" else ()
        return Shape(driver, 1 if up.hosts is None else up.hosts, 1 if up.cells is None else up.cells, notices)
    _check(up, made, state)
    return Shape(made.driver, made.hosts if up.hosts is None else up.hosts, up.cells or made.cells)


def make(shape_: Shape, state: State, runtime: Runtime) -> Driver:
    """The driver, not started yet."""
    folder = state.folder("hypervisor")
    if shape_.driver == "fake":
        from kilonova.drivers.fake.driver import FakeDriver  # noqa: PLC0415 - only one of the drivers is needed

        return FakeDriver(runtime, folder / "fake.sqlite", shape_.hosts)
    from kilonova.drivers.qemu.driver import QemuDriver  # noqa: PLC0415 - only one of the drivers is needed

    return QemuDriver(runtime, folder)


async def end_guests(state: State, runtime: Runtime) -> None:
    """End every guest of a cloud that doesn't run: they outlive it otherwise."""
    driver = make(shape(Up(), state), state, runtime)
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
    if up.cells is not None and up.cells < made.cells:
        raise StateMismatch(path=state.path, option="--cells", made=made.cells, given=up.cells)
