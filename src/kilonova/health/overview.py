"""`/health`, for the lead of a project: which promises break next, which CI fails its duty, and how bugs come and go."""

from collections.abc import Sequence

from kilonova.health.bugs.measures import Measures
from kilonova.health.bugs.pages import bug_path, of_everybody
from kilonova.health.bugs.queue import Entry
from kilonova.health.bugs.service import Desk as BugDesk
from kilonova.health.ci.desk import Desk as CiDesk
from kilonova.health.ci.desk import Row, row_document
from kilonova.health.ci.pages import system_path
from kilonova.health.ci.voting import State, Thresholds
from kilonova.health.moments import shown
from kilonova.health.web.answers import answered, moment_asked
from kilonova.health.web.html import Html, data_table, el, join, link
from kilonova.health.web.page import BASE, page, style
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

PROMISES = 10
"""Bugs that are shown."""
WEEKS = 8
"""Weeks of flow that are shown."""
_FALLEN = frozenset({State.DEGRADED, State.SUSPENDED})


class Overview:
    """The handlers."""

    def __init__(self, ci: CiDesk, bugs: BugDesk, runtime: Runtime) -> None:
        """Show what both desks know; now is the runtime's."""
        self._ci = ci
        self._bugs = bugs
        self._runtime = runtime

    def routes(self) -> list[Route]:
        """Where they are, below the mount."""
        handlers = {"/": self.overview, "/style.css": self.style}
        return [Route(method="GET", path=path, handler=handler, public=True) for path, handler in handlers.items()]

    async def style(self, _call: Call) -> Reply:
        """GET /style.css."""
        return style()

    async def overview(self, call: Call) -> Reply:
        """GET /: what the lead should know."""
        at = moment_asked(call, self._runtime.now())
        queue = of_everybody(await self._bugs.queue(at), await self._bugs.bugs(at))
        troubled = [
            row for row in await self._ci.status(at, Thresholds()) if row.state in _FALLEN or row.scored.month.silent
        ]
        measures = await self._bugs.measures(at, WEEKS)
        document = {
            "promises": [one for one in queue if one.due_at is not None][:PROMISES],
            "waiting": len(queue),
            "broken": sum(one.broken for one in queue),
            "ci": [row_document(row) for row in troubled],
            "weeks": measures.weeks,
            "open": measures.open,
        }
        return answered(call, document, at, _page(queue, troubled, measures, at))


def _page(queue: Sequence[Entry], troubled: Sequence[Row], measures: Measures, at: float) -> Reply:
    parts = (
        el("h2", "Promises that break next"),
        _promises(queue),
        el("h2", "CI that is degraded or silent"),
        _troubled(troubled),
        el("h2", "Flow of bugs"),
        _flow(measures),
    )
    return page("Project health", join(parts), at=at, here=BASE)


def _promises(queue: Sequence[Entry]) -> Html:
    due = [one for one in queue if one.due_at is not None]
    if not due:
        return el("p", "Nothing is owed.")
    rows = (
        (
            link(bug_path(one.bug), one.bug),
            el("span", f"{shown(one.due_at)}{' broken' if one.broken else ''}", class_="bad" if one.broken else None),
            one.reason,
            one.title,
        )
        for one in due[:PROMISES]
    )
    broken = sum(one.broken for one in due)
    return data_table(("Bug", "Due", "Why now", "Title"), rows, f"{len(due)} are owed, {broken} are broken")


def _troubled(rows: Sequence[Row]) -> Html:
    if not rows:
        return el("p", "None.")
    told = (
        (
            link(system_path(row.scored.system.name), row.scored.system.name),
            el("span", row.state, class_="bad" if row.state in _FALLEN else None),
            shown(row.since),
            f"{row.scored.month.silence} in a row" if row.scored.month.silent else "-",
            row.lacks[0] if row.lacks else "-",
        )
        for row in rows
    )
    return data_table(("System", "State", "Since", "Silent", "What it lacks"), told, f"{len(rows)} systems")


def _flow(measures: Measures) -> Html:
    weeks = ((shown(one.begins_at)[:10], one.opened, one.closed, one.reopened, one.backlog) for one in measures.weeks)
    heads = ("Week of", "Opened", "Closed", "Reopened", "Open at its end")
    return data_table(heads, weeks, f"{measures.bugs} bugs, {measures.open} open")
