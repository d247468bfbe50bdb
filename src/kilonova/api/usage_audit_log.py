"""The log of usage audits (API reference, "Server usage audit log").

An audit sends a notification for every server of a host once in each period, a calendar month. Usage is told from the servers
themselves here (`usage.py`), so no host has such audits to run, and the log says that none has.
"""

from datetime import UTC, datetime

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import TEXT, WHOLE, gives, listed, obj
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Doc
from kilonova.web.call import Call, Reply

_RULE = "os_compute_api:os-instance-usage-audit-log:"
_FORMATS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")

_NUMBERS = ("hosts", "hosts_done", "hosts_not_run", "hosts_running")
_LOG = obj(
    {
        "hosts_not_run": listed(TEXT),
        "log": obj({}),
        **dict.fromkeys(("overall_status", "period_beginning", "period_ending"), TEXT),
        **dict.fromkeys((*(f"num_{what}" for what in _NUMBERS), "total_errors", "total_instances"), WHOLE),
    }
)


class BadMoment(Invalid):
    """Invalid timestamp for date {text}"""

    code = "usage-audit-bad-moment"


class UsageAuditLog:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The audits of the last period that is over."""
        self._compute.policy.enforce(_RULE + "list", call.user)
        now = datetime.fromtimestamp(self._compute.runtime.now(), UTC)
        return Reply({"instance_usage_audit_logs": await self._log(now)})

    async def show(self, call: Call) -> Reply:
        """The audits of the last period that was over before a moment."""
        self._compute.policy.enforce(_RULE + "show", call.user)
        return Reply({"instance_usage_audit_log": await self._log(_moment(call.params["before"]))})

    async def _log(self, before: datetime) -> Doc:
        begin, end = last_month(before)
        hosts = [host.name for host in await self._compute.hosts.all()]
        return {
            "hosts_not_run": hosts,
            "log": {},
            "num_hosts": len(hosts),
            "num_hosts_done": 0,
            "num_hosts_not_run": len(hosts),
            "num_hosts_running": 0,
            "overall_status": f"0 of {len(hosts)} hosts done. 0 errors.",
            "period_beginning": begin.strftime(_FORMATS[1]),
            "period_ending": end.strftime(_FORMATS[1]),
            "total_errors": 0,
            "total_instances": 0,
        }


def routes(compute: Compute) -> list[ComputeRoute]:
    """Both routes."""
    log, every = UsageAuditLog(compute), "/os-instance_usage_audit_log"
    return [
        ComputeRoute(method="GET", path=every, handler=log.index, gives=gives({"instance_usage_audit_logs": _LOG})),
        ComputeRoute(
            method="GET", path=every + "/{before}", handler=log.show, gives=gives({"instance_usage_audit_log": _LOG})
        ),
    ]


def last_month(before: datetime) -> tuple[datetime, datetime]:
    """The last calendar month that was over at `before`: its begin and its end."""
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if end.month == 1:
        return end.replace(year=end.year - 1, month=12), end
    return end.replace(month=end.month - 1), end


def _moment(text: str) -> datetime:
    for form in _FORMATS:
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if moment.year > 1:
            return moment
    raise BadMoment(text=text[:100])
