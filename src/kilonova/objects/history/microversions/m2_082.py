"""2.82: Accelerators tell when they are bound."""

from functools import partial

from kilonova.kernel.versions import Change
from kilonova.objects.history.items import forget_value_in, refuse_value_in

CHANGES: tuple[Change, ...] = (
    Change(
        name="external-event-accelerator-request-bound",
        shape="external_events",
        why="The accelerator service may tell that a request of a server is bound.",
        up=partial(refuse_value_in, key="events", field="name", value="accelerator-request-bound"),
        schema_down=partial(forget_value_in, key="events", field="name", value="accelerator-request-bound"),
    ),
)
