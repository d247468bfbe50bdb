"""2.51: An instance action always shows its events."""

from functools import partial

from kilonova.kernel.versions import Change
from kilonova.objects.history.items import forget_value_in, refuse_value_in

CHANGES: tuple[Change, ...] = (
    Change(
        name="instance-action-events-for-all",
        shape="instance_action",
        why="Everybody who may see an action sees its events; tracebacks stay with administrators.",
        effect=True,
    ),
    Change(
        name="external-event-volume-extended",
        shape="external_events",
        why="The volume service may tell that a volume of a server has grown.",
        up=partial(refuse_value_in, key="events", field="name", value="volume-extended"),
        schema_down=partial(forget_value_in, key="events", field="name", value="volume-extended"),
    ),
)
