"""The file that plays the hypervisor: guests and cached images of all fake hosts.

Rows are written through at once and never lost by the end of the process. Agents that are processes of their own share the
file: what another one has written is read before anything is said of a guest. The file isn't synced at every commit, because it
stands for hardware and not for the cloud's own truth: a guest costs some 50 microseconds.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec

from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.fake.guest import Disk, FakeGuest
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import GuestSpec, PowerState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS guests (
    server_id TEXT NOT NULL, host TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (server_id, host)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS disks_left (server_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (id TEXT PRIMARY KEY, used_at REAL NOT NULL) WITHOUT ROWID;
"""
_OF_0_1_0 = "SELECT host, generation, power_state, rebooted, boots, spec FROM guest"


class FakeStore:
    """Guests by host and server, mirrored in memory; images by id. Implements `Hardware`."""

    def __init__(self, path: Path, hosts: Collection[HostName], shared: bool, now: Callable[[], float]) -> None:
        """Open or create the file at `path`. With `shared`, disks lie on storage that all `hosts` share.

        Raises:
            sqlite3.Error: the file can't be opened or isn't a database.
        """
        self._hosts = hosts
        self._shared = shared
        self._now = now
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.executescript(_SCHEMA)
        self._guests: dict[tuple[HostName, ServerId], FakeGuest] = {}
        self._version: int | None = None
        self._refresh()
        self._convert()

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._file.close()

    def guests(self) -> Iterator[FakeGuest]:
        """Every guest there is."""
        self._refresh()
        return iter(self._guests.values())

    def guest_get(self, host: HostName, server_id: ServerId) -> FakeGuest | None:
        """See `Hardware.guest_get`."""
        if host not in self._hosts:
            raise HypervisorFailure(host=host, action="answer", reason="there is no such fake host.")
        self._refresh()
        return self._guests.get((host, server_id))

    def guests_put(self, *guests: FakeGuest) -> None:
        """See `Hardware.guests_put`."""
        rows = ", ".join(["(?, ?, ?)"] * len(guests))
        values = [value for it in guests for value in (it.server_id, it.host, msgspec.json.encode(it))]
        self._write(f"INSERT OR REPLACE INTO guests VALUES {rows}", *values)  # noqa: S608 - only question marks
        self._guests.update({(guest.host, guest.server_id): guest for guest in guests})

    def guests_on(self, host: HostName) -> list[FakeGuest]:
        """See `Hardware.guests_on`."""
        self._refresh()
        return [guest for (at, _), guest in self._guests.items() if at == host]

    def guest_remove(self, guest: FakeGuest, *, keep_disks: bool) -> None:
        """See `Hardware.guest_remove`."""
        if self._shared and keep_disks:
            body = msgspec.json.encode(guest.disk)
            self._write("INSERT OR REPLACE INTO disks_left VALUES (?, ?)", guest.server_id, body)
        elif self._shared:
            self._write("DELETE FROM disks_left WHERE server_id=?", guest.server_id)
        self._write("DELETE FROM guests WHERE server_id=? AND host=?", guest.server_id, guest.host)
        self._guests.pop((guest.host, guest.server_id), None)

    def disk_left(self, host: HostName, server_id: ServerId) -> Disk | None:
        """See `Hardware.disk_left`."""
        if not self._shared:
            return None
        query = """SELECT json_extract(body, '$.disk') FROM guests WHERE server_id=:id AND host<>:host
                   UNION ALL SELECT body FROM disks_left WHERE server_id=:id"""
        found = self._file.execute(query, {"id": server_id, "host": host}).fetchone()
        return msgspec.json.decode(found[0], type=Disk) if found else None

    def images(self) -> dict[str, float]:
        """See `Hardware.images`."""
        return dict(self._file.execute("SELECT id, used_at FROM image ORDER BY id"))

    def image_used(self, image_id: str) -> None:
        """See `Hardware.image_used`."""
        self._write("INSERT OR REPLACE INTO image VALUES (?, ?)", image_id, self._now())

    def image_remove(self, image_id: str) -> None:
        """Forget an image."""
        self._write("DELETE FROM image WHERE id=?", image_id)

    def _write(self, statement: str, *values: object) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.Error as error:
            reason = f"its file can't be written: {error}."
            raise HypervisorFailure(host="the fake hosts", action="remember a guest", reason=reason) from error

    def _refresh(self) -> None:
        """Read the guests anew if another process has written to the file."""
        try:
            version = self._file.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return
            bodies = self._file.execute("SELECT body FROM guests").fetchall()
        except sqlite3.Error as error:
            reason = f"its file can't be read: {error}."
            raise HypervisorFailure(host="the fake hosts", action="answer", reason=reason) from error
        guests = [msgspec.json.decode(body, type=FakeGuest) for (body,) in bodies]
        self._guests = {(guest.host, guest.server_id): guest for guest in guests}
        self._version = version

    def _convert(self) -> None:
        """Take over the guests of a file that version 0.1.0 wrote."""
        if not self._file.execute("SELECT 1 FROM sqlite_master WHERE name = 'guest'").fetchone():
            return
        self._file.execute("BEGIN")
        for host, generation, power_state, rebooted, boots, document in self._file.execute(_OF_0_1_0).fetchall():
            spec = msgspec.json.decode(document, type=GuestSpec)
            guest = FakeGuest(
                host=host,
                generation=generation,
                spec=spec,
                disk=Disk(spec.generation, spec.disk_gb),
                power_state=PowerState(power_state),
                boots=boots,
                done={"guest_reboot": rebooted} if rebooted else {},
            )
            self.guests_put(guest)
        self._file.execute("DROP TABLE guest")
        self._file.execute("COMMIT")
