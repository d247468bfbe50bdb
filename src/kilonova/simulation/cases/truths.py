"""What databases, hypervisors and services hold, read past every process: what is so, whatever anybody is told."""

from collections.abc import Sequence

import msgspec

from kilonova.cells.hosts import hosts_up_txn
from kilonova.kernel.ids import HostName, ProjectId, ServerId
from kilonova.objects.guest import GuestSpec, PowerState
from kilonova.objects.image import Image
from kilonova.objects.port import Port
from kilonova.objects.server import Server
from kilonova.objects.volume import Attachment
from kilonova.simulation.invariants.at_rest import Durable


class Line(msgspec.Struct, frozen=True):
    """One line of the logs of a server's operations."""

    kind: str
    step: str
    result: str
    host: HostName | None


class Ended(msgspec.Struct, frozen=True):
    """One operation on a server, live or ended."""

    kind: str
    state: str
    error: str | None


_SERVER = "SELECT body FROM servers WHERE id = ?"
_HELD = """
    SELECT p.name, a.used FROM allocations a JOIN providers p ON p.uuid = a.provider_uuid
    WHERE a.consumer_uuid = ? AND a.resource_class = 'VCPU'"""
_HOLDERS = "SELECT DISTINCT consumer_uuid FROM allocations ORDER BY 1"
_PROVIDER = "SELECT uuid FROM providers WHERE name = ?"
_OPERATIONS = "SELECT kind, state, error FROM operations WHERE server_id = ? ORDER BY created_at"
_LOG = """
    SELECT o.kind, e.step, e.result, e.host FROM operation_events e JOIN operations o ON o.id = e.operation_id
    WHERE o.server_id = ? ORDER BY e.at, e.seq"""
_IN_LEDGER = "SELECT count(*) FROM quota_ledger WHERE project_id = ?"


class Truths:
    """Reads what is durable."""

    def __init__(self, durable: Durable) -> None:
        """Read from `durable`."""
        self._durable = durable
        self._with_servers = (durable.api, *durable.cells.values())

    def server(self, server_id: ServerId) -> Server | None:
        """A server as its database has it, deleted or not; None when it is nowhere."""
        for database in reversed(self._with_servers):
            for (body,) in database.rows(_SERVER, server_id):
                return msgspec.json.decode(body, type=Server)
        return None

    def has_cell(self, server_id: ServerId) -> bool:
        """Whether a server has been given to a cell."""
        return any(database.rows(_SERVER, server_id) for database in self._durable.cells.values())

    def cell_number(self, server_id: ServerId) -> int:
        """The number of a server's cell, as in `cell1`. Raises ValueError while it has none."""
        cells = enumerate(self._durable.cells.values())
        (number,) = [number for number, database in cells if database.rows(_SERVER, server_id)]
        return number

    def hosts_up(self) -> frozenset[HostName]:
        """The hosts whose agents are there, by their last report."""
        cells = self._durable.cells.values()
        return frozenset().union(*(database.read(hosts_up_txn) for database in cells))

    def is_nowhere(self, server_id: ServerId) -> bool:
        """Whether the API database has a server still, and its boot with it."""
        return bool(self._durable.api.rows(_SERVER, server_id))

    def guests(self, server_id: ServerId) -> dict[HostName, PowerState]:
        """The guests of a server, by host, hosts without power included."""
        everything = self._durable.hypervisor.everything()
        return {host: guest.power_state for host, guest_of, guest in everything if guest_of == server_id}

    def spec(self, server_id: ServerId) -> GuestSpec:
        """What the guest of a server was made as. Raises StopIteration for a server without."""
        return next(guest.spec for _, guest_of, guest in self._durable.hypervisor.everything() if guest_of == server_id)

    def provider(self, host: HostName) -> str | None:
        """The id of a host's provider in placement; None for a host that has none."""
        return next((str(uuid) for (uuid,) in self._durable.placement.rows(_PROVIDER, host)), None)

    def held(self, consumer: str) -> dict[HostName, int]:
        """How many VCPUs a consumer holds in placement, by host."""
        return {HostName(name): used for name, used in self._durable.placement.rows(_HELD, consumer)}

    def holders(self) -> list[str]:
        """Every consumer that holds anything in placement."""
        return [consumer for (consumer,) in self._durable.placement.rows(_HOLDERS)]

    def ports(self, server_id: ServerId) -> list[Port]:
        """The ports that are a server's."""
        return self._durable.networks.of(server_id)

    def attachments(self, server_id: ServerId) -> list[Attachment]:
        """The volume service's attachments of a server."""
        return self._durable.volumes.of(server_id)

    def images(self, server_id: ServerId) -> list[Image]:
        """The images made of a server."""
        images = self._durable.images.images.values()
        return [image for image in images if image.properties.get("instance_uuid") == server_id]

    def operations(self, server_id: ServerId) -> Sequence[Ended]:
        """The operations of a server, oldest first."""
        return [Ended(*row) for database in self._with_servers for row in database.rows(_OPERATIONS, server_id)]

    def log(self, server_id: ServerId) -> Sequence[Line]:
        """The lines of the logs of a server's operations, oldest first."""
        return [Line(*row) for database in self._with_servers for row in database.rows(_LOG, server_id)]

    def in_ledger(self, project_id: ProjectId) -> int:
        """How many servers the quota ledger counts for a project."""
        return int(self._durable.api.rows(_IN_LEDGER, project_id)[0][0])
