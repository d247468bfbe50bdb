"""2.77: A server that was shelved and offloaded may be unshelved in another zone."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change


def _schema_unread(schema: Schema) -> None:
    schemas.become(schema, {})


CHANGES: tuple[Change, ...] = (
    Change(
        name="unshelve-to-zone",
        shape="unshelve",
        why="Unshelving takes an availability zone; before, nobody looked at what stood under it.",
        effect=True,
        schema_down=_schema_unread,
    ),
)
