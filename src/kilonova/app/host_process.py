"""One host of a cloud, in a process of its own: its agent, and the driver of its guests.

`kilonova up` starts it with the path of a file that says who it is, and holds its standard input: when that ends, because the
cloud has stopped or was killed, the agent ends as well. Its guests run on. On standard output it says one line: what the
operator should know, or why it can't work.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Literal

import msgspec

from kilonova.agent.agent import Agent
from kilonova.agent.gateway_remote import RemoteGateway, unix_transport
from kilonova.agent.questions import Answers
from kilonova.app.config import Fake, Log
from kilonova.app.fake_hosts import fake_driver
from kilonova.app.logs import start_logging
from kilonova.app.state_lock import lock_held
from kilonova.drivers.driver import Driver
from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import HostName
from kilonova.runtime.runtime import Runtime


class HostFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told, in a file that only its own user may read."""

    driver: Literal["fake", "qemu"]
    host: HostName
    agent: str
    secret: str
    """What the gateway knows the agent by."""
    gateway: str
    """Path of the gateway's Unix socket."""
    number: int
    """Of this host among the machine's, from 1."""
    hosts: int
    """How many there are: each has its share of the machine."""
    storage: str | None
    """The directory in which all of them keep their guests' disks, if they share them."""
    fake_file: str | None
    """The file with the guests of all fake hosts."""
    fake: Fake
    """What fake hosts are like."""
    volumes: str | None
    """The directory of volumes that are files of this machine."""
    log_folder: str
    log: Log


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The line that the process says once it works, or can't."""

    notices: tuple[str, ...] = ()
    failure: str | None = None


def qemu_host(
    folder: Path,
    runtime: Runtime,
    host: HostName,
    number: int,
    hosts: int,
    storage: Path | None,
    volumes: Path | None = None,
) -> Driver:
    """The driver of one of the machine's QEMU hosts, with all that is its own in `folder`."""
    from kilonova.drivers.qemu.driver import QemuDriver  # noqa: PLC0415 - only one of the drivers is needed
    from kilonova.drivers.qemu.resources import Share  # noqa: PLC0415

    return QemuDriver(runtime, folder, host=host, share=Share(number, hosts), storage=storage, volumes=volumes)


def host_file_read(file: Path) -> HostFile:
    """What the process is told. Raises `OSError`, `msgspec.ValidationError`."""
    return msgspec.json.decode(file.read_bytes(), type=HostFile)


async def run(told: HostFile, folder: Path, runtime: Runtime) -> bool:
    """Work on the host's `folder` until standard input ends or SIGTERM comes; False when the host can't work."""
    start_logging(Path(told.log_folder), told.log, f"{told.host}.log")
    async with lock_held(folder / "lock", runtime):
        driver = _driver(told, folder, runtime)
        try:
            await driver.start()
        except KilonovaError as error:
            _say(Hello(failure=error.message))
            return False
        _say(Hello(notices=tuple(driver.notices())))
        gateway = RemoteGateway(told.agent, told.secret, unix_transport(Path(told.gateway)))
        try:
            await _work(told, runtime, driver, gateway)
        finally:
            await gateway.close()
            await driver.close()
    return True


def _driver(told: HostFile, folder: Path, runtime: Runtime) -> Driver:
    if told.driver == "fake":
        assert told.fake_file is not None, "fake hosts share a file"
        return fake_driver(runtime, Path(told.fake_file), told.hosts, told.fake)
    storage = Path(told.storage) if told.storage is not None else None
    volumes = Path(told.volumes) if told.volumes is not None else None
    return qemu_host(folder, runtime, told.host, told.number, told.hosts, storage, volumes)


async def _work(told: HostFile, runtime: Runtime, driver: Driver, gateway: RemoteGateway) -> None:
    agent = Agent(told.agent, runtime, driver, gateway, gateway, hosts=lambda host: host == told.host)
    answers = Answers(told.agent, runtime, driver, gateway, gateway)
    roles = [
        runtime.spawn(agent.run(), name=told.agent),
        runtime.spawn(answers.run(), name=f"answers of {told.host}"),
        runtime.spawn(_told_to_end(), name="end"),
    ]
    done, _ = await asyncio.wait(roles, return_when=asyncio.FIRST_COMPLETED)
    for task in roles:
        task.cancel()
    await asyncio.wait(roles)
    for task in done:
        task.result()  # a role that failed is a bug, and is raised here


def _say(hello: Hello) -> None:
    sys.stdout.write(msgspec.json.encode(hello).decode() + "\n")
    sys.stdout.flush()


async def _told_to_end() -> None:
    """Return at SIGTERM, or when nobody holds the other end of standard input any more."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), _read_input, ended)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
        loop.remove_signal_handler(signal.SIGTERM)


def _read_input(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        ended.set()
