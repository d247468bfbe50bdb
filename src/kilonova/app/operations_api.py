"""Operations for administrators: what `kilonova operation` asks. Part of the service at `paths.OWN`."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from kilonova.engine.search import Search
from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.kernel.ids import OperationId, ServerId
from kilonova.objects.operation import OperationState
from kilonova.operations.oversight import Oversight, Placed, as_document
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Handler, Route

REASON_MAX = 500


class BadSearch(Invalid):
    """{name} can't be '{value}': {why}"""

    code = "bad-search"


class NoReason(Invalid):
    """The body is {{"reason": TEXT}}, with up to {most} characters: why this is done is kept in the operation's log."""

    code = "no-reason"


class OperationsApi:
    """The handlers."""

    def __init__(self, oversight: Oversight, runtime: Runtime) -> None:
        """Answer from `oversight`."""
        self._oversight = oversight
        self._runtime = runtime

    def routes(self) -> list[Route]:
        """GET /operations, GET /operations/{id}, and POST /operations/{id}/ACTION for each intervention."""
        interventions = {
            "retry": self._oversight.retry,
            "abandon": self._oversight.abandon,
            "supersede": self._oversight.supersede,
        }
        return [
            Route(method="GET", path="/operations", handler=self.index),
            Route(method="GET", path="/operations/{id}", handler=self.show),
            *(
                Route(method="POST", path=f"/operations/{{id}}/{name}", handler=self._intervening(work), body=Body.JSON)
                for name, work in interventions.items()
            ),
        ]

    async def index(self, call: Call) -> Reply:
        """The live operations, or those in the states asked for; the oldest first."""
        check_admin(call, "operation:list")
        asked = dict(call.query)
        search = Search(
            states=_states([value for name, value in call.query if name == "state"]),
            kind=asked.get("kind"),
            server_id=None if "server" not in asked else ServerId(asked["server"]),
            older_s=_seconds(asked),
        )
        found = await self._oversight.find(search, asked.get("cell"))
        now = self._runtime.now()
        docs = [as_document(placed, now) for placed in found.operations]
        return Reply({"operations": docs, "unanswered": found.unanswered})

    async def show(self, call: Call) -> Reply:
        """One operation with its log."""
        check_admin(call, "operation:show")
        placed, events = await self._oversight.show(OperationId(call.params["id"]))
        log = [msgspec.to_builtins(event) for event in events]
        return Reply({"operation": as_document(placed, self._runtime.now()), "events": log})

    def _intervening(self, work: Callable[[OperationId, str], Awaitable[Placed]]) -> Handler:
        async def intervene(call: Call) -> Reply:
            check_admin(call, "operation:intervene")
            placed = await work(OperationId(call.params["id"]), _reason(call.body))
            return Reply({"operation": as_document(placed, self._runtime.now())})

        return intervene


def check_admin(call: Call, what: str) -> None:
    """Raise `Forbidden` unless the caller is an administrator of the cloud."""
    if not call.user.credentials["is_admin"]:
        raise Forbidden(rule=f"kilonova:{what}")


def _states(names: list[str]) -> tuple[OperationState, ...] | None:
    known = {state.value for state in OperationState}
    for name in names:
        if name not in known:
            raise BadSearch(name="state", value=name[:100], why=f"it is one of {', '.join(sorted(known))}")
    return tuple(OperationState(name) for name in names) or None


def _seconds(asked: dict[str, str]) -> float | None:
    text = asked.get("older_s")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise BadSearch(name="older_s", value=text[:100], why="it is a whole number of seconds")
    return float(text)


def _reason(body: Any) -> str:
    reason = body.get("reason") if isinstance(body, dict) else None
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= REASON_MAX:
        raise NoReason(most=REASON_MAX)
    return reason.strip()
