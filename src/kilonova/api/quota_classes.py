"""Quota classes: the limits that hold where a project has none of its own (Compute API reference, "Quota class sets")."""

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.quota_fields import LIMITS, QuotaValues, values_of
from kilonova.api.shapes import TEXT, Takes, gives, obj, shaped
from kilonova.kernel.versions import Doc
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-quota-class-sets:"


CLASS = shaped(obj({"id": TEXT, **LIMITS}), "quota_class_set")
UPDATED = shaped(obj(LIMITS), "quota_class_set")


class QuotaClasses:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def show(self, call: Call) -> Reply:
        """The limits of a class."""
        self._compute.policy.enforce(_RULE + "show", call.user)
        name = call.params["id"]
        return Reply({"quota_class_set": {"id": name} | await self._told(call, name)})

    async def update(self, call: Call) -> Reply:
        """Set limits of a class."""
        self._compute.policy.enforce(_RULE + "update", call.user)
        asked = body.read(call, "quota_class_set", QuotaValues, "quota_class_set_update")
        name = call.params["id"]
        await self._compute.quota.set_class_limits(name, values_of(asked, self._compute.quota.defaults))
        return Reply({"quota_class_set": await self._told(call, name)})

    async def _told(self, call: Call, name: str) -> Doc:
        return call.version.down("quota_class_set", dict(await self._compute.quota.class_limits(name)))


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of quota classes."""
    classes = QuotaClasses(compute)
    path = "/os-quota-class-sets/{id}"
    return [
        ComputeRoute(method="GET", path=path, handler=classes.show, gives=gives({"quota_class_set": CLASS})),
        ComputeRoute(
            method="PUT",
            path=path,
            handler=classes.update,
            body=Body.JSON,
            takes=Takes(kind=QuotaValues, under="quota_class_set", shape="quota_class_set_update"),
            gives=gives({"quota_class_set": UPDATED}),
        ),
    ]
