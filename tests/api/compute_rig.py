"""The Compute API alone, on real databases, with hosts that nobody serves: for tests of its own resources.

    def test_create__name_taken__conflict(rig: Rig) -> None:
        rig.ask("POST", "/flavors", {"flavor": {...}}).status_code == 409

The fixture `rig` is in `compute/conftest.py`. A token is `ROLE:PROJECT:USER`; `ADMIN` and `MEMBER` are ready ones.
"""

import asyncio
from pathlib import Path
from typing import Any, Self, cast

import httpx

from kilonova.api.compute import Compute
from kilonova.api.policies import RULES
from kilonova.api.service import ComputeService
from kilonova.bus.local import LocalBus
from kilonova.cells.cells import CellRecord, Cells
from kilonova.cells.hosts import Hosts, hosts_register_txn
from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import api_database, cell_database
from kilonova.kernel.errors import NotAuthenticated
from kilonova.kernel.ids import CELL0, CellId, HostName, ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.objects.guest import HostDescription
from kilonova.objects.history.wire import WIRE
from kilonova.operations.quota import Quota
from kilonova.operations.servers import Servers
from kilonova.operations.work import Parts
from kilonova.placement import tables as placement_tables
from kilonova.placement.placement import Placement
from kilonova.runtime.real import RealRuntime
from kilonova.web.mount import Mounts
from kilonova.web.policy import Policy

PROJECT = "0123456789abcdef0123456789abcdef"
OTHER_PROJECT = "fedcba9876543210fedcba9876543210"
ADMIN = f"admin:{PROJECT}:root"
MEMBER = f"member:{PROJECT}:ann"
READER = f"reader:{PROJECT}:rob"
OTHER = f"member:{OTHER_PROJECT}:eve"

IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
    "reader": ("reader",),
    "service": ("service",),
    "stranger": (),
}

CELL = CellId("11111111-1111-1111-1111-111111111111")


class Projects:
    """An identity service that reads its tokens' owners from the tokens themselves, and knows two projects."""

    async def caller(self, token: str) -> Caller:
        role, _, rest = token.partition(":")
        project, _, user = rest.partition(":")
        if role not in IMPLIED:
            raise NotAuthenticated
        return Caller(
            user_id=UserId(user), user_name=user, project_id=ProjectId(project), roles=IMPLIED[role], token=token
        )

    async def project_exists(self, project_id: str) -> bool:
        return project_id in {PROJECT, OTHER_PROJECT}

    async def close(self) -> None:
        pass


class Rig:
    """The service and its databases, as long as its `with` block."""

    def __init__(self, path: Path, hosts: int = 2, **options: Any) -> None:
        """`options` go to `Compute`, e.g. `page_max=2`."""
        self._path = path
        self._hosts = hosts
        self._options = options

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._runner.run(self._start())
        return self

    def __exit__(self, *exc: object) -> None:
        self._runner.run(self._stop())
        self._runner.close()

    def run(self, work: Any) -> Any:
        return self._runner.run(work)

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        version: str | None = None,
        token: str | None = ADMIN,
        base: str = "/compute/v2.1",
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request below `/compute/v2.1`."""
        sent = dict(headers or {})
        if token is not None:
            sent["X-Auth-Token"] = token
        if version is not None:
            sent["OpenStack-API-Version"] = f"compute {version}"
        if json is not None:
            options["json"] = json
        return self.run(self.http.request(method, base + path, headers=sent, **options))

    def ok(self, method: str, path: str, json: Any = None, *, status: int = 200, **options: Any) -> Any:
        """The decoded body of an answer with `status`."""
        answer = self.ask(method, path, json, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def _start(self) -> None:
        runtime = RealRuntime()
        self.databases = {
            name: SqliteDatabase(name, self._path / f"{name}.db", runtime) for name in ("api", "cell0", "cell1")
        }
        await self.databases["api"].create(api_database.metadata)
        self.databases["placement"] = SqliteDatabase("placement", self._path / "placement.db", runtime)
        await self.databases["placement"].create(placement_tables.metadata)
        placement = Placement(self.databases["placement"])
        for name in ("cell0", "cell1"):
            await self.databases[name].create(cell_database.metadata)
        cells = Cells(self.databases["api"], lambda record: self.databases[record.name])
        for at, (cell_id, name) in enumerate(((CELL0, "cell0"), (CELL, "cell1"))):
            record = CellRecord(
                id=cell_id, name=name, database_url=name, bus_url="", disabled=False, created_at=float(at)
            )
            await cells.add(record)
        described = [describe(f"host-{number}") for number in range(1, self._hosts + 1)]
        await self.databases["cell1"].write(hosts_register_txn, "agent", WIRE.newest.label, described, runtime.uuid)
        hosts, quota = Hosts(self.databases["api"], cells), Quota(self.databases["api"])
        parts = Parts(
            runtime=runtime,
            bus=LocalBus(),
            database=self.databases["api"],
            cells=cells,
            hosts=hosts,
            placement=placement,
            scheduler=cast("Any", None),
            networks=cast("Any", None),
            images=cast("Any", None),
        )
        self.compute = Compute(
            runtime=runtime,
            database=self.databases["api"],
            servers=Servers(parts, quota, cast("Any", None)),
            hosts=hosts,
            placement=placement,
            quota=quota,
            identity=Projects(),
            images=cast("Any", None),
            networks=cast("Any", None),
            **({"policy": Policy(RULES)} | self._options),
        )
        app = Mounts({"/compute": ComputeService(self.compute, self.compute.identity)}, cast("Any", None))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://cloud.test:8774")

    async def _stop(self) -> None:
        await self.http.aclose()
        for database in self.databases.values():
            await database.close()


def describe(name: str) -> HostDescription:
    """A host with 16 CPUs, 32 GB of memory and 500 GB of disk."""
    return HostDescription(
        name=HostName(name),
        hypervisor_type="fake",
        hypervisor_version=1000,
        vcpus=16,
        memory_mb=32768,
        disk_gb=500,
        host_ip="192.0.2.1",
        cpu_info={"arch": "x86_64"},
        reserved_memory_mb=512,
    )


def flavor_body(**changed: Any) -> dict[str, Any]:
    """The body that creates a flavor."""
    return {"flavor": {"name": "m1.tiny", "ram": 512, "vcpus": 1, "disk": 1, "id": "1", **changed}}


def keys_of(document: Any) -> Any:
    """The shape of a document: its keys, sorted, with the shapes of inner objects."""
    if isinstance(document, dict):
        return {key: keys_of(value) for key, value in sorted(document.items())}
    if isinstance(document, list):
        return [keys_of(document[0])] if document else []
    return type(document).__name__
