"""The file that plays the hypervisor: guests and cached images of all fake hosts.

Rows are written through at once and never lost by the end of the process. The file isn't synced at every commit, because it
stands for hardware and not for the cloud's own truth: a guest costs some 20 microseconds.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS guest (
    host TEXT NOT NULL, server_id TEXT NOT NULL, generation INTEGER NOT NULL, power_state INTEGER NOT NULL,
    rebooted INTEGER NOT NULL, boots INTEGER NOT NULL, images TEXT NOT NULL, spec BLOB NOT NULL,
    PRIMARY KEY (server_id, host)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (id TEXT PRIMARY KEY, used_at REAL NOT NULL) WITHOUT ROWID;
"""
_UPSERT = "INSERT OR REPLACE INTO guest VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE guest SET generation=?, power_state=?, rebooted=?, boots=? WHERE server_id=? AND host=?"


class FakeGuest(msgspec.Struct, frozen=True):
    """One guest of the fake hypervisor."""

    host: HostName
    server_id: ServerId
    generation: int
    power_state: PowerState
    rebooted: int
    """The generation that the guest was last rebooted for; 0 before the first time."""
    boots: int
    """How often the guest was started."""
    images: str
    """Ids of the images it was made from, parted by blanks."""

    def shown(self) -> Guest:
        """The guest as drivers show it."""
        return Guest(server_id=self.server_id, host=self.host, generation=self.generation, power_state=self.power_state)


class FakeStore:
    """Guests by host and server, mirrored in memory; images by id."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at `path`.

        Raises:
            sqlite3.Error: the file can't be opened or isn't a database.
        """
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.executescript(_SCHEMA)
        self._guests = {(guest.host, guest.server_id): guest for guest in self._guests_stored()}

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._file.close()

    def _guests_stored(self) -> Iterator[FakeGuest]:
        query = "SELECT host, server_id, generation, power_state, rebooted, boots, images FROM guest"
        for host, server_id, generation, power_state, rebooted, boots, images in self._file.execute(query):
            yield FakeGuest(host, server_id, generation, PowerState(power_state), rebooted, boots, images)

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.Error as error:
            reason = f"its file can't be written: {error}."
            raise HypervisorFailure(host="the fake hosts", action="remember a guest", reason=reason) from error

    def guests(self) -> Iterator[FakeGuest]:
        """Every guest there is."""
        return iter(self._guests.values())

    def guest_get(self, host: HostName, server_id: ServerId) -> FakeGuest | None:
        """The guest, or None."""
        return self._guests.get((host, server_id))

    def guest_add(self, guest: FakeGuest, spec: GuestSpec) -> None:
        """Write a new guest with what it was made from, without the secrets of its config drive."""
        document = msgspec.json.encode(msgspec.structs.replace(spec, config_drive={}))
        state = (guest.generation, int(guest.power_state), guest.rebooted, guest.boots)
        self._write(_UPSERT, (guest.host, guest.server_id, *state, guest.images, document))
        self._guests[guest.host, guest.server_id] = guest

    def guest_update(self, guest: FakeGuest) -> None:
        """Write what changed of a guest that is there."""
        state = (guest.generation, int(guest.power_state), guest.rebooted, guest.boots)
        self._write(_UPDATE, (*state, guest.server_id, guest.host))
        self._guests[guest.host, guest.server_id] = guest

    def guest_remove(self, guest: FakeGuest) -> None:
        """Remove the guest."""
        self._write("DELETE FROM guest WHERE server_id=? AND host=?", (guest.server_id, guest.host))
        del self._guests[guest.host, guest.server_id]

    def guest_spec(self, guest: FakeGuest) -> GuestSpec:
        """What the guest was made from."""
        where = (guest.server_id, guest.host)
        (document,) = self._file.execute("SELECT spec FROM guest WHERE server_id=? AND host=?", where).fetchone()
        return msgspec.json.decode(document, type=GuestSpec)

    def images(self) -> dict[str, float]:
        """When each cached image was last used, by id."""
        return dict(self._file.execute("SELECT id, used_at FROM image ORDER BY id"))

    def image_used(self, image_id: str, now: float) -> None:
        """Note that an image is in the cache and was used at `now`."""
        self._write("INSERT OR REPLACE INTO image VALUES (?, ?)", (image_id, now))

    def image_remove(self, image_id: str) -> None:
        """Forget an image."""
        self._write("DELETE FROM image WHERE id=?", (image_id,))
