"""What the hypervisors themselves show: the fake one's file, or QEMU's directories and processes."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonova.app.hypervisor import FAKE_FILE
from kilonova.drivers.fake.guest import FakeGuest
from kilonova.drivers.qemu.process import processes_of
from kilonova.objects.guest import PowerState


@dataclass(frozen=True)
class GuestThere:
    """A guest, whether anybody knows of it or not."""

    server_id: str
    host: str | None
    """None where the only host keeps its guests."""
    runs: bool
    """Whether it has power; paused guests have."""
    cards: frozenset[str] | None
    """Ids of its ports; None where the hypervisor can't be asked from outside."""


def guests_there(state: Path, driver: str) -> list[GuestThere]:
    """Every guest of a cloud's hypervisors."""
    folder = state / "hypervisor"
    return list(_fake(folder / FAKE_FILE) if driver == "fake" else _qemu(folder))


def _fake(file: Path) -> Iterator[GuestThere]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        bodies = connection.execute("SELECT body FROM guests").fetchall()
    finally:
        connection.close()
    for (body,) in bodies:
        guest = msgspec.json.decode(body, type=FakeGuest)
        yield GuestThere(
            server_id=guest.server_id,
            host=guest.host,
            runs=guest.shown().power_state in {PowerState.RUNNING, PowerState.PAUSED},
            cards=frozenset(nic.port_id for nic in guest.spec.nics),
        )


def _qemu(folder: Path) -> Iterator[GuestThere]:
    apart = sorted(folder.glob("host-*/"))
    machine = (folder / "host-name").read_text().strip() if apart else ""
    for host in apart or [folder]:
        for guest in sorted((host / "guests").glob("*/")):
            name = f"{machine}-{host.name.removeprefix('host-')}" if apart else None
            yield GuestThere(guest.name, name, bool(processes_of(guest, guest.name)), None)
