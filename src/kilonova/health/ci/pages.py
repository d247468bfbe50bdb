"""The pages of CI: the grid, a system, a change, the support matrix, waivers. They show, and change nothing."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from kilonova.health.ci.archive import Archive
from kilonova.health.ci.comments import Verdict
from kilonova.health.ci.desk import Desk, Row, row_document
from kilonova.health.ci.evaluation import LOOK_BACK_S
from kilonova.health.ci.history import Change, reports_of
from kilonova.health.ci.journal import decisions_txn, entries_txn
from kilonova.health.ci.matrix import Level, matrix_of
from kilonova.health.ci.metrics import WINDOW_S, Metrics
from kilonova.health.ci.opportunities import opportunities_of, reverted_at, watched
from kilonova.health.ci.registry import System
from kilonova.health.ci.voting import State, Thresholds
from kilonova.health.moments import length, shown
from kilonova.health.stats import Rate, kaplan_meier
from kilonova.health.web.answers import answered, moment_asked
from kilonova.health.web.html import Html, data_table, el, join, link
from kilonova.health.web.page import BASE, page
from kilonova.health.web.plots import intervals, steps
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

HERE = f"{BASE}/ci"
LINKS = {"Grid": HERE, "Matrix": f"{HERE}/matrix", "Waivers": f"{HERE}/waivers"}
COLUMNS = 20
"""Changes in the grid."""
ROWS_MAX = 100
"""Most rows of a list."""
_SHAPES = {
    Verdict.SUCCESS: ("good", "\u25cf pass"),
    Verdict.FAILURE: ("bad", "\u25b2 fail"),
    None: ("none", "\u25cb none"),
}
_LEVELS = {Level.PROVEN: "good", Level.FAILING: "bad", Level.UNSURE: "wait", Level.STALE: "wait"}


Rows = list[list[Html | str | int | float | None]]
"""The rows of a table."""


class CiPages:
    """The handlers."""

    def __init__(self, archive: Archive, runtime: Runtime) -> None:
        """Show what is in `archive`; now is the runtime's."""
        self._archive = archive
        self._desk = Desk(archive)
        self._runtime = runtime

    def routes(self) -> list[Route]:
        """Where they are, below the mount."""
        handlers = {
            "/ci": self.grid,
            "/ci/matrix": self.matrix,
            "/ci/waivers": self.waivers,
            "/ci/systems/{name}": self.system,
            "/ci/changes/{host}/{number}": self.change,
        }
        return [Route(method="GET", path=path, handler=handler, public=True) for path, handler in handlers.items()]

    async def grid(self, call: Call) -> Reply:
        """GET /ci: each system, how it does, and what it said of the newest changes."""
        at = moment_asked(call, self._runtime.now())
        rows = await self._desk.status(at, Thresholds())
        changes = await self._archive.changes(at - WINDOW_S, at)
        newest = sorted(
            (one for one in changes if one.current), key=lambda one: -(one.current.at if one.current else 0)
        )
        columns = newest[:COLUMNS]
        heads = ["System", "State", "Agreement", "Missed", "p50", *(one.subject.rpartition("/")[2] for one in columns)]
        body = [_grid_row(row, columns) for row in rows]
        note = el("p", "A dash is a change that the system doesn't cover.", class_="note")
        document = [{**_brief(row), "said": _said(row.scored.system, columns)} for row in rows]
        table = data_table(heads, body, "The last 30 days")
        return answered(call, document, at, page("Third-party CI", table, note, at=at, here=HERE, links=LINKS))

    async def system(self, call: Call) -> Reply:
        """GET /ci/systems/{name}: why it stands where it stands. Raises `NoSuchSystem`."""
        at, name = moment_asked(call, self._runtime.now()), call.params["name"]
        registry = await self._archive.registry(at)
        system = registry.system(name)
        (row,) = [one for one in await self._desk.status(at, Thresholds()) if one.scored.system.name == name]
        changes = await self._archive.changes(at - LOOK_BACK_S, at)
        watching = watched(changes, system, registry.reference())
        seen = opportunities_of(watching, system, reverted_at(changes), at, at - WINDOW_S)
        survival = kaplan_meier((one.waited_s, one.answered) for one in seen)
        entries = await self._archive.database.read(entries_txn, name, at)
        wrong = [
            one
            for one in seen
            if one.final and one.outcome != "unknown" and (one.final == "failure") == (one.outcome == "good")
        ]
        lacks = el("ul", *(el("li", one) for one in row.lacks)) if row.lacks else el("p", "Nothing.")
        moves: Rows = [
            [shown(one.transition.at), one.transition.new, one.transition.actor, one.transition.reason]
            for one in entries
        ]
        mistakes: Rows = [
            [_change_link(one.subject), one.patchset, one.final, one.outcome] for one in wrong[-ROWS_MAX:]
        ]
        document = {
            **row_document(row),
            "transitions": [one.transition for one in entries[-ROWS_MAX:]],
            "mistakes": [
                {"change": one.subject, "patchset": one.patchset, "said": one.final, "was": one.outcome}
                for one in wrong[-ROWS_MAX:]
            ],
        }
        shown_page = page(
            name,
            el("p", f"{system.owner}, {system.contact}. {row.state} since {shown(row.since)}."),
            el("h2", "How it does"),
            intervals([(what, rate) for what, rate in _rates(row.scored.month)], "Shares with their intervals"),
            data_table(
                ("Share", "Counted", "Interval"),
                [[what, *_cells(rate)] for what, rate in _rates(row.scored.month)],
                "30 days",
            ),
            el("h2", "Until the first verdict"),
            steps(survival, system.deadline_s, "The share that is answered, by the time that it took"),
            data_table(("Share", "Time"), _times(row.scored.month), "By Kaplan and Meier"),
            el("h2", "What keeps it from rising"),
            lacks,
            el("h2", "Mistakes that count"),
            data_table(("Change", "Patch set", "It said", "It was"), mistakes, "30 days"),
            el("h2", "Transitions"),
            data_table(("At", "To", "By", "Why"), moves[-ROWS_MAX:], "The journal"),
            at=at,
            here=HERE,
            links=LINKS,
        )
        return answered(call, document, at, shown_page)

    async def change(self, call: Call) -> Reply:
        """GET /ci/changes/{host}/{number}: what every system said, and what the gate decided. Raises `NoChange`."""
        at = moment_asked(call, self._runtime.now())
        subject = f"{call.params['host']}/{call.params['number']}".replace("~", "/")
        found = await self._desk.change(subject, at)
        registry = await self._archive.registry(at)
        said = sorted(
            (report.at, system.name, report) for system in registry.systems for report in reports_of(found, system)
        )
        rows: Rows = [
            [
                shown(when),
                _system_link(name),
                report.patchset,
                _shape(report.verdict),
                _log(report.jobs[0].url if report.jobs else ""),
            ]
            for when, name, report in said[-ROWS_MAX:]
        ]
        decisions = await self._archive.database.read(decisions_txn, subject)
        made: Rows = [[one.at, one.patchset, one.outcome, one.line] for one in decisions[-ROWS_MAX:]]
        document = {
            "change": subject,
            "project": found.project,
            "branch": found.branch,
            "title": found.title,
            "owner": found.owner,
            "said": [
                {"at": when, "system": name, "patchset": report.patchset, "verdict": report.verdict}
                for when, name, report in said[-ROWS_MAX:]
            ],
            "decisions": decisions[-ROWS_MAX:],
        }
        shown_page = page(
            found.title or subject,
            el("p", f"{subject}, {found.project}, for {found.branch}, by {found.owner or 'somebody'}"),
            el("h2", "What was said"),
            data_table(("At", "System", "Patch set", "Verdict", "Log"), rows, "Newest last"),
            el("h2", "What the gate decided"),
            data_table(("At", "Patch set", "Outcome", "Why"), made, "Newest last"),
            at=at,
            here=HERE,
            links=LINKS,
        )
        return answered(call, document, at, shown_page)

    async def matrix(self, call: Call) -> Reply:
        """GET /ci/matrix: features by drivers."""
        at = moment_asked(call, self._runtime.now())
        found = matrix_of(await self._desk.status(at, Thresholds()), at)
        names = [one.name for one in found.drivers]
        levels = {(one.feature, one.driver): one for one in found.cells}
        features = sorted({one.feature for one in found.cells})
        rows = [[feature, *(_level(levels[feature, name].level) for name in names)] for feature in features]
        drivers: Rows = [
            [one.name, "yes" if one.supported else "no", "proposed" if one.remove else "-", one.reason]
            for one in found.drivers
        ]
        shown_page = page(
            "Support matrix",
            data_table(("Feature", *names), rows, "By evidence of the last 30 days"),
            el("h2", "Drivers"),
            data_table(("Driver", "Supported", "Removal", "Why"), drivers, "A driver is supported while its CI lives"),
            at=at,
            here=f"{HERE}/matrix",
            links=LINKS,
        )
        return answered(call, {"drivers": found.drivers, "cells": found.cells}, at, shown_page)

    async def waivers(self, call: Call) -> Reply:
        """GET /ci/waivers: who lets what pass, and until when."""
        at = moment_asked(call, self._runtime.now())
        waivers = (await self._archive.waivers(at))[-ROWS_MAX:]
        rows: Rows = [
            [
                one.waived.id,
                _system_link(one.waived.system),
                one.subject,
                shown(one.waived.until),
                "yes" if one.holds(at) else "no",
                one.waived.by,
                one.waived.reason,
            ]
            for one in waivers
        ]
        document = [
            {**msgspec.structs.asdict(one.waived), "change": one.subject, "holds": one.holds(at)} for one in waivers
        ]
        heads = ("Waiver", "System", "Change", "Until", "Holds", "By", "Why")
        table = data_table(heads, rows, "Newest last")
        return answered(call, document, at, page("Waivers", table, at=at, here=f"{HERE}/waivers", links=LINKS))


def _grid_row(row: Row, columns: Sequence[Change]) -> list[Html | str | int | float | None]:
    month, system = row.scored.month, row.scored.system
    votes = "good" if row.state.votes else "bad" if row.state in {State.DEGRADED, State.SUSPENDED} else "none"
    told = [_system_link(system.name), el("span", row.state, class_=votes), _rate(month.agreement), _rate(month.missed)]
    return [*told, length(month.response.p50), *(_grid_cell(system, one) for one in columns)]


def _grid_cell(system: System, change: Change) -> Html | str:
    judged = _judged(system, change)
    if judged is None:
        return "-"
    flipped = " (flipped)" if len(set(judged)) > 1 else ""
    return el("a", _shape(judged[-1] if judged else None), flipped, href=_change_path(change.subject))


def _judged(system: System, change: Change) -> list[Verdict] | None:
    """What a system said of a change's newest patch set; None where it doesn't cover it."""
    current = change.current
    if current is None or not system.covers_change(change.project, change.branch, current.files):
        return None
    return [one.verdict for one in reports_of(change, system) if one.patchset == current.number and one.verdict.judges]


def _brief(row: Row) -> dict[str, object]:
    month = row.scored.month
    return {
        "name": row.scored.system.name,
        "state": row.state,
        "since": row.since,
        "agreement": month.agreement,
        "missed": month.missed,
        "p50_s": month.response.p50,
    }


def _said(system: System, columns: Sequence[Change]) -> dict[str, list[Verdict]]:
    found = ((change.subject, _judged(system, change)) for change in columns)
    return {subject: judged for subject, judged in found if judged is not None}


def _shape(verdict: Verdict | None) -> Html:
    name, text = _SHAPES.get(verdict, ("wait", f"\u25a1 {verdict}"))
    return el("span", text, class_=name)


def _level(level: Level) -> Html:
    return el("span", level, class_=_LEVELS.get(level, "none"))


def _rates(month: Metrics) -> list[tuple[str, Rate]]:
    return [
        ("answered in time", month.attained),
        ("availability", month.availability),
        ("agreement", month.agreement),
        ("false alarms", month.false_alarms),
        ("missed breaks", month.missed_breaks),
        ("flakes", month.flakes),
    ]


def _cells(rate: Rate) -> tuple[str, str]:
    return _rate(rate), f"{rate.low:.1%} to {rate.high:.1%}"


def _rate(rate: Rate) -> str:
    return f"{rate.k}/{rate.n}" if rate.value is None else f"{rate.k}/{rate.n} {rate.value:.0%}"


def _times(month: Metrics) -> list[list[str]]:
    found = month.response
    return [
        [name, length(time) if time is not None else "never"]
        for name, time in (("50%", found.p50), ("90%", found.p90), ("95%", found.p95))
    ]


def system_path(name: str) -> str:
    """Where a CI system's page is."""
    return f"{HERE}/systems/{quote(name, safe='')}"


def _system_link(name: str) -> Html:
    return link(system_path(name), name)


def _change_path(subject: str) -> str:
    host, _, rest = subject.partition("/")
    return f"{HERE}/changes/{quote(host)}/{quote(rest.replace('/', '~'), safe='~')}"


def _change_link(subject: str) -> Html:
    return link(_change_path(subject), subject)


def _log(url: str) -> Html:
    return link(url, "log") if url else join(())
