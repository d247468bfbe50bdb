"""Limits: what a project may have and has (Compute API reference, "Limits")."""

from kilonova.api.compute import Compute
from kilonova.api.projects import own_project
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import ANYTHING, WHOLE, gives, listed, obj, shaped
from kilonova.kernel.ids import ProjectId
from kilonova.kernel.versions import Doc
from kilonova.operations.quota import Usage
from kilonova.web.call import Call, Reply

SHOW = Query(names=("tenant_id",), strict="strict-list-queries")

_MAXIMA = (
    ("maxTotalInstances", "instances"),
    ("maxTotalCores", "cores"),
    ("maxTotalRAMSize", "ram"),
    ("maxServerMeta", "metadata_items"),
    ("maxImageMeta", "metadata_items"),
    ("maxPersonality", "injected_files"),
    ("maxPersonalitySize", "injected_file_content_bytes"),
    ("maxTotalKeypairs", "key_pairs"),
    ("maxServerGroups", "server_groups"),
    ("maxServerGroupMembers", "server_group_members"),
    ("maxSecurityGroups", "security_groups"),
    ("maxSecurityGroupRules", "security_group_rules"),
    ("maxTotalFloatingIps", "floating_ips"),
)

_USED = (
    *("totalInstancesUsed", "totalCoresUsed", "totalRAMUsed", "totalServerGroupsUsed", "totalFloatingIpsUsed"),
    "totalSecurityGroupsUsed",
)
_NAMES = (*(name for name, _ in _MAXIMA), *_USED)
LIMITS = obj({"rate": listed(ANYTHING), "absolute": shaped(obj(dict.fromkeys(_NAMES, WHOLE)), "limits")})


class Limits:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def show(self, call: Call) -> Reply:
        """The limits of the caller's project, or of another one for administrators. Rates are not limited here."""
        caller = call.user
        self._compute.policy.enforce("os_compute_api:limits", caller)
        other = SHOW.read(call).one("tenant_id")
        project_id = own_project(caller)
        if other is not None:
            self._compute.policy.enforce("os_compute_api:limits:other_project", caller, {"project_id": other})
            project_id = ProjectId(other)
        quota = self._compute.quota
        user_id = caller.user_id if other is None else None
        doc = _document(await quota.limits(project_id, user_id), await quota.usage(project_id))
        return Reply({"limits": {"rate": [], "absolute": call.version.down("limits", doc)}})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The route of limits."""
    return [
        ComputeRoute(
            method="GET", path="/limits", handler=Limits(compute).show, query=SHOW, gives=gives({"limits": LIMITS})
        )
    ]


def _document(limits: dict[str, int], usage: Usage) -> Doc:
    """Limits and usage in the newest shape and what older ones show; what is used of networks is not for us to say."""
    doc: Doc = {name: limits[resource] for name, resource in _MAXIMA}
    return doc | {
        "totalInstancesUsed": usage.instances,
        "totalCoresUsed": usage.cores,
        "totalRAMUsed": usage.ram,
        "totalServerGroupsUsed": usage.server_groups,
        "totalFloatingIpsUsed": 0,
        "totalSecurityGroupsUsed": 0,
    }
