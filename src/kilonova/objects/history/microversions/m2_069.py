"""2.69: While a cell is down, its servers are listed with what is known of them."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change


def _schema_of_answering_cells(schema: Schema) -> None:
    if "anyOf" in schema:
        schemas.become(schema, schema["anyOf"][0])


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-down-cells",
        shape="server",
        why="Servers of cells that do not answer are shown as UNKNOWN instead of being left out.",
        effect=True,
        schema_down=_schema_of_answering_cells,
    ),
    Change(
        name="service-down-cells",
        shape="service",
        why="Services of cells that do not answer are shown as UNKNOWN instead of being left out.",
        effect=True,
        schema_down=_schema_of_answering_cells,
    ),
)
