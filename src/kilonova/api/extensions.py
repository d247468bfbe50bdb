"""The list of extensions, from the time when the API had some (Compute API reference, "Extensions"): all of it is built in."""

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import LINKS, TEXT, TIME, gives, listed, obj
from kilonova.kernel.errors import NotFound
from kilonova.kernel.versions import Doc
from kilonova.web.call import Call, Reply

_EXTENSIONS = {
    "NMN": "Multinic",
    "OS-DCF": "DiskConfig",
    "OS-EXT-AZ": "ExtendedAvailabilityZone",
    "OS-EXT-SRV-ATTR": "ExtendedServerAttributes",
    "OS-EXT-STS": "ExtendedStatus",
    "OS-FLV-DISABLED": "FlavorDisabled",
    "OS-FLV-EXT-DATA": "FlavorExtraData",
    "OS-SCH-HNT": "SchedulerHints",
    "OS-SRV-USG": "ServerUsage",
    "os-aggregates": "Aggregates",
    "os-assisted-volume-snapshots": "AssistedVolumeSnapshots",
    "os-availability-zone": "AvailabilityZone",
    "os-baremetal-nodes": "BareMetalNodes",
    "os-config-drive": "ConfigDrive",
    "os-console-output": "ConsoleOutput",
    "os-consoles": "Consoles",
    "os-create-server-ext": "Createserverext",
    "os-extended-hypervisors": "ExtendedHypervisors",
    "os-extended-quotas": "ExtendedQuotas",
    "os-extended-services": "ExtendedServices",
    "os-extended-services-delete": "ExtendedServicesDelete",
    "os-flavor-access": "FlavorAccess",
    "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage",
    "os-flavor-rxtx": "FlavorRxtx",
    "os-flavor-swap": "FlavorSwap",
    "os-floating-ip-pools": "FloatingIpPools",
    "os-floating-ips": "FloatingIps",
    "os-hosts": "Hosts",
    "os-hypervisor-status": "HypervisorStatus",
    "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions",
    "os-instance_usage_audit_log": "InstanceUsageAuditLog",
    "os-keypairs": "Keypairs",
    "os-multiple-create": "MultipleCreate",
    "os-networks": "Networks",
    "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas",
    "os-security-groups": "SecurityGroups",
    "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents",
    "os-server-group-quotas": "ServerGroupQuotas",
    "os-server-groups": "ServerGroups",
    "os-server-list-multi-status": "ServerListMultiStatus",
    "os-server-password": "ServerPassword",
    "os-server-sort-keys": "ServerSortKeys",
    "os-server-start-stop": "ServerStartStop",
    "os-services": "Services",
    "os-simple-tenant-usage": "SimpleTenantUsage",
    "os-tenant-networks": "TenantNetworks",
    "os-used-limits": "UsedLimits",
    "os-used-limits-for-admin": "UsedLimitsForAdmin",
    "os-user-data": "UserData",
    "os-user-quotas": "UserQuotas",
    "os-volumes": "Volumes",
}


EXTENSION = obj({"alias": TEXT, "name": TEXT, "description": TEXT, "links": LINKS, "namespace": TEXT, "updated": TIME})


class NoSuchExtension(NotFound):
    """Extension {alias} could not be found."""

    code = "no-such-extension"


class Extensions:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List them."""
        self._compute.policy.enforce("os_compute_api:extensions", call.user)
        return Reply({"extensions": [_told(alias) for alias in _EXTENSIONS]})

    async def show(self, call: Call) -> Reply:
        """Show one."""
        self._compute.policy.enforce("os_compute_api:extensions", call.user)
        alias = call.params["alias"]
        if alias not in _EXTENSIONS:
            raise NoSuchExtension(alias=alias[:255])
        return Reply({"extension": _told(alias)})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of extensions."""
    extensions = Extensions(compute)
    return [
        ComputeRoute(
            method="GET", path="/extensions", handler=extensions.index, gives=gives({"extensions": listed(EXTENSION)})
        ),
        ComputeRoute(
            method="GET", path="/extensions/{alias}", handler=extensions.show, gives=gives({"extension": EXTENSION})
        ),
    ]


def _told(alias: str) -> Doc:
    return {
        "alias": alias,
        "name": _EXTENSIONS[alias],
        "description": "",
        "links": [],
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
    }
