"""What brings a state directory from each older format to the next. `state_format.py` runs them.

Each may be killed at any point and is then run again from the start, so it makes each change only where it is missing.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from sqlalchemy import Engine, MetaData, create_engine, select, update
from sqlalchemy.pool import NullPool

from kilonova.database.additions import add_what_is_missing
from kilonova.database.tables import api_database, cell_database
from kilonova.objects.flavor import Flavor


class _Outlined(msgspec.Struct):
    """The part of a server's body that the map of servers keeps."""

    flavor: Flavor
    image_id: str | None = None
    availability_zone: str | None = None


def from_1_to_2(path: Path) -> None:
    """Add what 0.2 declares beyond 0.1, and tell the map of servers what it shows while a cell doesn't answer."""
    for file in _files(path):
        with _opened(file).begin() as connection:
            add_what_is_missing(connection, _declared(file.stem))
    with _opened(path / "databases" / "api.sqlite").begin() as connection:
        connection.exec_driver_sql("DROP INDEX IF EXISTS quota_ledger_project")  # quota_ledger_sums takes its place
    _fill_server_map(path / "databases")


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
        "placement": placement.metadata,
        "identity": identity.metadata,
        "image": image.metadata,
        "network": network.metadata,
    }
    return services.get(name, cell_database.metadata)


def _fill_server_map(databases: Path) -> None:
    """Copy flavor, image and zone of every server from its cell."""
    server_map = api_database.server_map
    api = _opened(databases / "api.sqlite")
    with api.begin() as connection:
        urls = connection.execute(select(api_database.cells.c.database_url)).scalars().all()
    for url in urls:
        with _opened(databases / f"{url.removeprefix('sqlite:')}.sqlite").begin() as cell:
            rows = cell.execute(select(cell_database.servers.c.id, cell_database.servers.c.body)).all()
        with api.begin() as connection:
            for row in rows:
                known = msgspec.json.decode(row.body, type=_Outlined)
                values = {
                    "flavor": msgspec.json.encode(known.flavor),
                    "image_id": known.image_id,
                    "availability_zone": known.availability_zone,
                }
                connection.execute(update(server_map).where(server_map.c.server_id == row.id).values(**values))
