"""How a server's guest does just now (API reference, "Servers diagnostics"): its host is asked."""

from msgspec import to_builtins

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find
from kilonova.api.shapes import TEXT, TRUTH, WHOLE, Gives, by_key, listed, obj, or_null, words
from kilonova.objects.diagnostics import STATES
from kilonova.web.call import Call, Reply

_KNOWN = or_null(WHOLE)
_COUNTS = tuple(f"{way}_{what}" for way in ("rx", "tx") for what in ("octets", "errors", "drop", "packets", "rate"))
_READ = ("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count")
_STANDARD = obj(
    {
        "state": words(*STATES.values()),
        **dict.fromkeys(("driver", "hypervisor", "hypervisor_os"), TEXT),
        "uptime": _KNOWN,
        "config_drive": TRUTH,
        **dict.fromkeys(("num_cpus", "num_nics", "num_disks"), WHOLE),
        "memory_details": obj({"maximum": WHOLE, "used": _KNOWN}),
        "cpu_details": listed(obj({"id": WHOLE, "time": _KNOWN, "utilisation": _KNOWN})),
        "nic_details": listed(obj({"mac_address": TEXT, **dict.fromkeys(_COUNTS, _KNOWN)})),
        "disk_details": listed(obj(dict.fromkeys(_READ, _KNOWN))),
    }
)
_ANSWERS = (Gives(body=by_key(WHOLE), until="2.47"), Gives(body=_STANDARD, since="2.48"))


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""

    async def show(call: Call) -> Reply:
        """Show how a server's guest does just now."""
        server = await find(call, compute, "os_compute_api:os-server-diagnostics")
        told = to_builtins(await compute.servers.diagnostics(server))
        return Reply(call.version.down("server_diagnostics", {**told, "config_drive": server.config_drive}))

    return [ComputeRoute(method="GET", path="/servers/{id}/diagnostics", handler=show, gives=_ANSWERS)]
