"""Bare metal nodes, until 2.35 (API reference, "Bare metal nodes"): there is no bare metal service behind this API."""

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute, Query
from kilonova.kernel.errors import Invalid, NotImplementedHere
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.35"
ANY_QUERY = Query(strict=None)
_PATH = "/os-baremetal-nodes"
_ONE = _PATH + "/{id}"
_RULE = "os_compute_api:os-baremetal-nodes:"


class NoBareMetal(NotImplementedHere):
    """This cloud has no bare metal service."""

    code = "no-bare-metal"


class CommandNotSupported(Invalid):
    """Command not supported. Nodes are changed through the bare metal service."""

    code = "bare-metal-not-here"


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of nodes."""

    async def index(call: Call) -> Reply:
        """List nodes: answers that there is no bare metal service."""
        compute.policy.enforce(_RULE + "list", call.user)
        raise NoBareMetal

    async def show(call: Call) -> Reply:
        """Show a node: answers that there is no bare metal service."""
        compute.policy.enforce(_RULE + "show", call.user)
        raise NoBareMetal

    return [
        ComputeRoute(method="GET", path=_PATH, handler=index, until=UNTIL, query=ANY_QUERY, gives=(), faults=(501,)),
        ComputeRoute(method="POST", path=_PATH, handler=_refuse, until=UNTIL, body=Body.JSON, gives=()),
        ComputeRoute(method="GET", path=_ONE, handler=show, until=UNTIL, query=ANY_QUERY, gives=(), faults=(501,)),
        ComputeRoute(method="DELETE", path=_ONE, handler=_refuse, until=UNTIL, gives=()),
        *(
            ComputeRoute(
                method="POST",
                path=_ONE + "/action",
                action=action,
                handler=_refuse,
                until=UNTIL,
                body=Body.JSON,
                gives=(),
            )
            for action in ("add_interface", "remove_interface")
        ),
    ]


async def _refuse(_call: Call) -> Reply:
    """Refuse to change nodes: the bare metal service does that."""
    raise CommandNotSupported
