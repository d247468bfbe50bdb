"""The hosts of this machine that are processes of their own: started, watched, and ended with the cloud."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonova.app.host_process import Hello
from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)

RESTART_S = 1.0
"""Pause before a process that ended is started anew; doubled up to `RESTART_MOST_S` while it ends at once again."""
RESTART_MOST_S = 30.0
STEADY_S = 60.0
"""A process that lived as long as this begins with the short pause again."""
END_S = 10.0
"""How long a process may take to end when asked, before it is killed."""
COMMAND = (sys.executable, "-m", "kilonova.cli", "serve", "agent")


class HostProcesses:
    """The processes of all hosts."""

    def __init__(self, files: Mapping[HostName, Path], runtime: Runtime) -> None:
        """`files` say to each process who it is (`HostFile`)."""
        self._processes = [_HostProcess(host, file, runtime) for host, file in files.items()]
        self._runtime = runtime
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> tuple[str, ...]:
        """Start all of them; what the operator should know. Raises `HypervisorFailure`."""
        hellos = await asyncio.gather(*(process.start() for process in self._processes))
        for process, hello in zip(self._processes, hellos, strict=True):
            if hello.failure is not None:
                raise HypervisorFailure(host=process.host, action="start", reason=hello.failure)
        self._watches = [
            self._runtime.spawn(process.watch(), name=f"watch of {process.host}") for process in self._processes
        ]
        return tuple(dict.fromkeys(notice for hello in hellos for notice in hello.notices))

    async def close(self) -> None:
        """End all of them; their guests run on."""
        for watch in self._watches:
            watch.cancel()
        if self._watches:
            await asyncio.wait(self._watches)
        await asyncio.gather(*(process.end() for process in self._processes))


@dataclass
class _HostProcess:
    """One of them."""

    host: HostName
    file: Path
    runtime: Runtime
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> Hello:
        """Start it, and wait for what it says. Its input stays open: its end is how the process hears of ours."""
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND,
            str(self.file),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the cloud, which ends its hosts in order
        )
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        try:
            return msgspec.json.decode(line, type=Hello)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return Hello(failure=f"its process ended with code {await self.process.wait()}")

    async def watch(self) -> None:
        """Start it anew whenever it ends."""
        pause_s = RESTART_S
        while True:
            assert self.process is not None
            began = self.runtime.monotonic()
            code = await self.process.wait()
            if self.runtime.monotonic() - began >= STEADY_S:
                pause_s = RESTART_S
            log.warning("the agent of %s ended with code %s; it is started anew in %g s", self.host, code, pause_s)
            await self.runtime.sleep(pause_s)
            pause_s = min(pause_s * 2, RESTART_MOST_S)
            hello = await self.start()
            if hello.failure is not None:
                log.warning("the agent of %s can't work: %s", self.host, hello.failure)

    async def end(self) -> None:
        """End it, by a word or by force."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            log.warning("the agent of %s does not end, and is killed", self.host)
            process.kill()
            await process.wait()
