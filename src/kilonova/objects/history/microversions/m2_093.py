"""2.93: Servers that boot from a volume can be rebuilt with another image."""

from functools import partial

from kilonova.kernel.versions import Change
from kilonova.objects.history.items import forget_value_in, refuse_value_in

CHANGES: tuple[Change, ...] = (
    Change(
        name="rebuild-root-volume",
        shape="server_rebuild",
        why="A server that boots from a volume can be rebuilt with another image.",
        effect=True,
    ),
    Change(
        name="external-event-volume-reimaged",
        shape="external_events",
        why="The volume service may tell that a volume of a server has a new image.",
        up=partial(refuse_value_in, key="events", field="name", value="volume-reimaged"),
        schema_down=partial(forget_value_in, key="events", field="name", value="volume-reimaged"),
    ),
)
