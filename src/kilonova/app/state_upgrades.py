"""What brings a state directory from each older format to the next. `state_format.py` runs them.

Each may be killed at any point and is then run again from the start, so it makes each change only where it is missing.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from sqlalchemy import Connection, Engine, MetaData, create_engine, select, update
from sqlalchemy.pool import NullPool

from kilonova.database.additions import add_what_is_missing
from kilonova.database.tables import api_database, cell_database, health_database
from kilonova.objects.flavor import Flavor


class _Indexed(msgspec.Struct):
    """What columns that 0.2 added repeat of a server's body."""

    flavor: Flavor
    image_id: str | None = None
    image_properties: dict[str, str] = {}
    availability_zone: str | None = None
    locked_by: str | None = None
    disk_config: str = "MANUAL"


def from_1_to_2(path: Path) -> None:
    """Add what 0.2 declares beyond 0.1, and fill the columns that repeat what servers' bodies say."""
    for file in _files(path):
        with _opened(file).begin() as connection:
            add_what_is_missing(connection, _declared(file.stem))
    with _opened(path / "databases" / "api.sqlite").begin() as connection:
        connection.exec_driver_sql("DROP INDEX IF EXISTS quota_ledger_project")  # quota_ledger_sums takes its place
    _fill_columns(path / "databases")


UPGRADES: Mapping[int, Callable[[Path], None]] = MappingProxyType({1: from_1_to_2})
"""Upgrades by the format they start from."""


def _files(path: Path) -> Iterator[Path]:
    yield from sorted((path / "databases").glob("*.sqlite"))


def _opened(file: Path) -> Engine:
    return create_engine(f"sqlite:///{file}", poolclass=NullPool)


def _declared(name: str) -> MetaData:
    """The tables of the database called `name`: one of the services', or a cell's."""
    from kilonova.placement import tables as placement  # noqa: PLC0415 - only an upgrade needs all of them at once
    from kilonova.standalone.identity import tables as identity  # noqa: PLC0415
    from kilonova.standalone.image import tables as image  # noqa: PLC0415
    from kilonova.standalone.network import tables as network  # noqa: PLC0415

    services = {
        "api": api_database.metadata,
        "health": health_database.metadata,
        "placement": placement.metadata,
        "identity": identity.metadata,
        "image": image.metadata,
        "network": network.metadata,
    }
    return services.get(name, cell_database.metadata)


def _fill_columns(databases: Path) -> None:
    """Fill the new columns of servers from their bodies, those of the map of servers from where the servers are."""
    api = databases / "api.sqlite"
    with _opened(api).begin() as connection:
        urls = connection.execute(select(api_database.cells.c.database_url)).scalars().all()
    for file in (api, *(databases / f"{url.removeprefix('sqlite:')}.sqlite" for url in urls)):
        with _opened(file).begin() as connection:
            rows = connection.execute(select(cell_database.servers.c.id, cell_database.servers.c.body)).all()
            known = {row.id: msgspec.json.decode(row.body, type=_Indexed) for row in rows}
            for server_id, body in known.items():
                _fill_server(connection, server_id, body)
        with _opened(api).begin() as connection:
            for server_id, body in known.items():
                _fill_mapping(connection, server_id, body)


def _fill_server(connection: Connection, server_id: str, body: _Indexed) -> None:
    servers = cell_database.servers
    values = {
        "locked_by": body.locked_by,
        "disk_config": body.disk_config,
        "kernel_id": body.image_properties.get("kernel_id"),
        "ramdisk_id": body.image_properties.get("ramdisk_id"),
    }
    connection.execute(update(servers).where(servers.c.id == server_id).values(**values))


def _fill_mapping(connection: Connection, server_id: str, body: _Indexed) -> None:
    server_map = api_database.server_map
    values = {
        "flavor": msgspec.json.encode(body.flavor),
        "image_id": body.image_id,
        "availability_zone": body.availability_zone,
    }
    connection.execute(update(server_map).where(server_map.c.server_id == server_id).values(**values))
