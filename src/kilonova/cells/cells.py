"""The registry of cells: which there are, and the open database of each. Writes the table `cells`."""

from collections.abc import Callable

import msgspec
from sqlalchemy import insert, select

from kilonova.database.database import Database, Transaction
from kilonova.database.tables.api_database import cells
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import CELL0, CellId


class DuplicateCell(Conflict):
    """There is a cell with the name {name} or this database already."""

    code = "duplicate-cell"


class CellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the registry."""

    id: CellId
    name: str
    database_url: str
    bus_url: str
    disabled: bool
    created_at: float


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell whose database is open."""

    record: CellRecord
    database: Database

    @property
    def id(self) -> CellId:
        """Its id."""
        return self.record.id

    @property
    def topic(self) -> str:
        """What is hinted when something is to be done in it."""
        return f"cell/{self.record.id}"


class Cells:
    """Every cell, cell0 included, with its database."""

    def __init__(self, database: Database, open_database: Callable[[CellRecord], Database]) -> None:
        """`database` is the API database; `open_database` opens a cell's, lazily and once."""
        self._database = database
        self._open = open_database
        self._cells: dict[CellId, Cell] = {}

    async def load(self) -> None:
        """Read the registry and open what is new in it."""
        for record in await self._database.read(cells_txn):
            if record.id not in self._cells:
                self._cells[record.id] = Cell(record=record, database=self._open(record))

    async def add(self, record: CellRecord) -> None:
        """Add a cell. Raises `DuplicateCell`."""
        await self._database.write(cell_add_txn, record)
        await self.load()

    def get(self, cell_id: CellId) -> Cell:
        """One cell. Raises `NotFound`."""
        try:
            return self._cells[cell_id]
        except KeyError:
            raise NotFound(kind="Cell", id=cell_id) from None

    @property
    def all(self) -> list[Cell]:
        """Every cell, cell0 first, then by age."""
        return sorted(self._cells.values(), key=lambda cell: (cell.id != CELL0, cell.record.created_at, cell.id))

    @property
    def with_hosts(self) -> list[Cell]:
        """Every cell but cell0."""
        return [cell for cell in self.all if cell.id != CELL0]


def cells_txn(tx: Transaction) -> list[CellRecord]:
    """The registry."""
    return [CellRecord(**row) for row in tx.execute(select(cells)).mappings()]


def cell_add_txn(tx: Transaction, record: CellRecord) -> None:
    """Add a row. Raises `DuplicateCell` for a name or database that is there already."""
    same = (cells.c.name == record.name) | (cells.c.database_url == record.database_url) | (cells.c.id == record.id)
    if tx.execute(select(cells.c.id).where(same)).first() is not None:
        raise DuplicateCell(name=record.name)
    tx.execute(insert(cells), msgspec.structs.asdict(record))
