"""A hypervisor on paper: guests and images are lines in one JSON file, which outlives the driver."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kilonova.drivers.driver import HypervisorFailure, ImageSource, NoSuchGuest, StaleGeneration
from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, HostDescription, PowerState
from kilonova.runtime.runtime import Runtime


class Line(msgspec.Struct):
    """One guest."""

    generation: int
    power_state: PowerState
    image: str | None
    cell_id: CellId
    boots: int = 1
    rebooted: int = 0
    """The generation it was last rebooted for."""


class Paper(msgspec.Struct):
    """The whole file."""

    guests: dict[str, Line] = {}
    images: dict[str, float] = {}
    """When each was last used, by the runtime's clock."""


class PaperDriver:
    """Implements `Driver` for the one host `paper`.

    Every order is a function of the file from one write to the next, without an await in between: two orders at a time follow
    each other, and a process that dies leaves a file that is whole.
    """

    name = "paper"
    host = HostName("paper")

    def __init__(self, runtime: Runtime, file: Path) -> None:
        """Keep everything in `file`."""
        self._runtime = runtime
        self._file = file

    async def start(self) -> None:
        """See `Driver.start`."""

    async def close(self) -> None:
        """See `Driver.close`."""

    def notices(self) -> Sequence[str]:
        """See `Driver.notices`."""
        return ("The hypervisor is a sheet of paper.",)

    async def hosts(self) -> Sequence[HostDescription]:
        """See `Driver.hosts`."""
        return [
            HostDescription(
                name=self.host,
                hypervisor_type="paper",
                hypervisor_version=1_000_000,
                vcpus=8,
                memory_mb=8192,
                disk_gb=100,
                host_ip="127.0.0.1",
                cpu_info={},
            )
        ]

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`."""
        return [self._shown(server_id, line) for server_id, line in self._read().guests.items()]

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_ensure`."""
        self._line(self._read(), host, spec.server_id, spec.generation)
        if spec.image is not None and spec.image.id not in self._read().images:
            await self._verify(host, spec.image, images)
        paper = self._read()
        line = self._line(paper, host, spec.server_id, spec.generation)
        if line is None:
            image = None if spec.image is None else spec.image.id
            line = paper.guests[spec.server_id] = Line(spec.generation, PowerState.RUNNING, image, spec.cell_id)
        elif line.power_state is not PowerState.RUNNING:
            line.power_state = PowerState.RUNNING
            line.boots += 1
        if line.image is not None:
            paper.images[line.image] = self._runtime.now()
        return self._kept(paper, spec.server_id, line, spec.generation)

    async def guest_destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """See `Driver.guest_destroy`."""
        paper = self._read()
        line = self._line(paper, host, server_id, generation)
        if line is not None:
            if line.image is not None:
                paper.images[line.image] = self._runtime.now()
            del paper.guests[server_id]
            self._write(paper)

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        paper, line = self._there(host, server_id, generation, "start the guest")
        if line.power_state is not PowerState.RUNNING:
            line.power_state = PowerState.RUNNING
            line.boots += 1
        return self._kept(paper, server_id, line, generation)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        paper, line = self._there(host, server_id, generation, "stop the guest")
        line.power_state = PowerState.SHUTDOWN
        return self._kept(paper, server_id, line, generation)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`."""
        paper, line = self._there(host, server_id, generation, "reboot the guest")
        if line.rebooted != generation or line.power_state is not PowerState.RUNNING:
            line.rebooted, line.power_state = generation, PowerState.RUNNING
            line.boots += 1
        return self._kept(paper, server_id, line, generation)

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        line = self._read().guests.get(server_id)
        said = [] if line is None else [f"boot {number} on paper\n" for number in range(1, line.boots + 1)]
        return "".join(said if lines is None else said[max(0, len(said) - lines) :])

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return list(self._read().images)

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        paper, before = self._read(), self._runtime.now() - unused_for_s
        in_use = {line.image for line in paper.guests.values()}
        unused = [image for image, used_at in paper.images.items() if image not in in_use and used_at <= before]
        for image in unused:
            del paper.images[image]
        self._write(paper)
        return unused

    def crash(self, server_id: ServerId) -> None:
        """Tear a guest up."""
        paper = self._read()
        paper.guests[server_id].power_state = PowerState.CRASHED
        self._write(paper)

    async def _verify(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        digest = hashlib.sha512()
        async for piece in images.image_content(image):
            digest.update(piece)
        if digest.hexdigest() != image.sha512:
            raise HypervisorFailure(host=host, action=f"use image {image.id}", reason="its checksum is wrong")

    def _line(self, paper: Paper, host: HostName, server_id: ServerId, generation: int) -> Line | None:
        """The guest, if there is one and the order isn't older than its own."""
        if host != self.host:
            raise HypervisorFailure(host=host, action="answer", reason="it is not on this paper")
        line = paper.guests.get(server_id)
        if line is not None and generation < line.generation:
            raise StaleGeneration(server_id=server_id, stored=line.generation, given=generation)
        return line

    def _there(self, host: HostName, server_id: ServerId, generation: int, action: str) -> tuple[Paper, Line]:
        paper = self._read()
        line = self._line(paper, host, server_id, generation)
        if line is None:
            raise NoSuchGuest(host=host, action=action, server_id=server_id)
        return paper, line

    def _kept(self, paper: Paper, server_id: ServerId, line: Line, generation: int) -> Guest:
        line.generation = generation
        self._write(paper)
        return self._shown(server_id, line)

    def _shown(self, server_id: str, line: Line) -> Guest:
        return Guest(
            server_id=ServerId(server_id),
            host=self.host,
            generation=line.generation,
            power_state=line.power_state,
            cell_id=line.cell_id,
        )

    def _read(self) -> Paper:
        return msgspec.json.decode(self._file.read_bytes(), type=Paper) if self._file.exists() else Paper()

    def _write(self, paper: Paper) -> None:
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(paper))
        new.replace(self._file)
