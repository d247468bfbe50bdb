"""2.76: Another service may tell of a server's power."""

from functools import partial

from kilonova.kernel.versions import Change
from kilonova.objects.history.items import forget_value_in, refuse_value_in

CHANGES: tuple[Change, ...] = (
    Change(
        name="external-event-power-update",
        shape="external_events",
        why="Another service may tell that it has changed the power state of a server.",
        up=partial(refuse_value_in, key="events", field="name", value="power-update"),
        schema_down=partial(forget_value_in, key="events", field="name", value="power-update"),
    ),
)
