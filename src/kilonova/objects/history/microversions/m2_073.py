"""2.73: Servers may be locked with a reason, and lists filter by locked."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, added, ignored_before


def _schema_unread(schema: Schema) -> None:
    schemas.become(schema, {})


CHANGES: tuple[Change, ...] = (
    added("server", "locked_reason", name="server-locked-reason", why="Servers show why they are locked."),
    Change(
        name="server-lock-reason",
        shape="server_lock",
        why="Locking a server takes a reason; before, nobody looked at what stood under it.",
        effect=True,
        schema_down=_schema_unread,
    ),
    ignored_before(
        "server_query",
        "locked",
        name="server-list-locked",
        why="The server list can be filtered by locked, and sorted by it.",
        effect=True,
    ),
)
