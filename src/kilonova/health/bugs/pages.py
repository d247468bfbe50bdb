"""The pages on bugs: duty, a bug, flow, rules, a release. Pure; private bugs are on none of them."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

import msgspec

from kilonova.health.bugs.clocks import Clock, State
from kilonova.health.bugs.duplicates.index import Match
from kilonova.health.bugs.measures import Measures, Times
from kilonova.health.bugs.model import Bug, Deed, What
from kilonova.health.bugs.queue import Entry
from kilonova.health.bugs.releases import Release
from kilonova.health.bugs.rules import Proposal, Rule
from kilonova.health.moments import length, shown
from kilonova.health.web.html import Html, data_table, el, join, link
from kilonova.health.web.page import BASE, page
from kilonova.web.call import Reply

HERE = f"{BASE}/bugs"
ROWS_MAX = 200
"""Most rows of a table on a page: no page grows beyond what a phone reads."""
RULE_ROWS_MAX = 25
"""Most bugs that are shown of each rule."""
TEXT_MAX = 4000
"""Most characters of a bug's text that are shown."""
DEEDS_BYTES_MAX = 40_000
"""Most bytes, as they are sent, of what was done to a bug; the newest are shown."""
VALUE_MAX = 500
"""Most characters that are shown of a deed."""
CURVE_MAX = 200
"""Most points of a curve: more are not seen."""
_LINKS = {
    "Duty": HERE,
    "Flow": f"{HERE}/flow",
    "Rules": f"{HERE}/rules",
    "Releases": f"{HERE}/release",
    "Search": f"{HERE}/like",
}
_WIDTH, _HEIGHT, _EDGE = 640.0, 160.0, 24.0
_STATES = {State.RUNNING: "good", State.PAUSED: "none", State.BROKEN: "bad"}


def bug_path(key: str) -> str:
    """Where a bug's page is."""
    return f"{HERE}/{quote(key)}"


def of_everybody(queue: Iterable[Entry], bugs: Mapping[str, Bug]) -> list[Entry]:
    """What of a queue everybody may see."""
    return [entry for entry in queue if not bugs[entry.bug].private]


def short(bug: Bug) -> Bug:
    """A bug with as much of its text and of its newest deeds as a page has room for."""
    left, kept = DEEDS_BYTES_MAX, []
    for deed in reversed(bug.deeds[-ROWS_MAX:]):
        cut = msgspec.structs.replace(deed, value=deed.value[:VALUE_MAX])
        left -= len(escape(cut.value).encode())
        if left < 0:
            break
        kept.append(cut)
    return msgspec.structs.replace(bug, text=bug.text[:TEXT_MAX], deeds=kept[::-1])


def thinned(found: Measures) -> Measures:
    """Measures whose curves have no more points than are seen."""
    return msgspec.structs.replace(
        found,
        first_answer=_thinned(found.first_answer),
        triage=_thinned(found.triage),
        resolve=_thinned(found.resolve),
    )


def duty_page(queue: Sequence[Entry], at: float) -> Reply:
    """What is to be done next."""
    broken = sum(entry.broken for entry in queue)
    rows = (
        (
            link(bug_path(entry.bug), entry.bug),
            el("span", shown(entry.due_at)[:10], class_="bad" if entry.broken else None),
            entry.importance,
            entry.status,
            entry.reason,
            entry.title,
        )
        for entry in queue[:ROWS_MAX]
    )
    heads = ("Bug", "Due", "Importance", "Status", "Why now", "Title")
    more = el("p", f"{len(queue) - ROWS_MAX} more are not shown.", class_="note") if len(queue) > ROWS_MAX else None
    table = data_table(
        heads, rows, f"{len(queue)} bugs wait, {broken} promises are broken; what breaks next comes first"
    )
    return _page("Duty", at, join((table, more)), HERE)


def bug_page(bug: Bug, clocks: Iterable[Clock], at: float) -> Reply:
    """One bug: how it stands, what is owed, what was done."""
    bug = short(bug)
    facts = {
        "Status": f"{bug.status}, since {shown(bug.status_at)}",
        "Importance": bug.importance,
        "Reporter": bug.reporter,
        "Assignee": bug.assignee,
        "Tags": " ".join(sorted(bug.tags)),
        "Duplicate of": bug.duplicate_of,
        "Reopened": bug.reopened_because if bug.open else "",
        "Cost": f"{bug.hours:.1f} hours of CI" if bug.hours else "",
        "Fixed in": " ".join(sorted({one.release for one in bug.commits if one.release})),
    }
    rows = [
        (
            one.promise,
            el("span", one.state, class_=_STATES[one.state]),
            shown(one.due_at),
            length(one.spent_s),
            length(one.allowance_s),
        )
        for one in clocks
    ]
    owed = (
        data_table(("Promise", "State", "Due", "Spent", "Allowed"), rows, "What is owed")
        if rows
        else el("p", "Nothing is owed.")
    )
    deeds = (
        (shown(deed.at), deed.by or "-", deed.what, _told(deed))
        for deed in bug.deeds
        if deed.value or deed.what is What.OPENED
    )
    done = data_table(("When", "Who", "What", "Value"), deeds, "What was done to it")
    about = data_table(("Fact", "Value"), ((name, value) for name, value in facts.items() if value), "How it stands")
    text = el("p", bug.text) if bug.text else None
    return _page(
        f"{bug.key}: {bug.title or 'known only from commits'}", at, join((about, owed, text, done)), bug_path(bug.key)
    )


def flow_page(found: Measures) -> Reply:
    """How long things take, what comes and goes, and what is left."""
    found = thinned(found)
    named = {"first answer": found.first_answer, "triage": found.triage, "fix or end": found.resolve}
    rows = [_time_row(name, times) for name, times in named.items()]
    times = data_table(("Time to", "Happened", "Of", "p25", "p50", "p75", "p90"), rows, "Kaplan and Meier's estimate")
    weeks = ((shown(one.begins_at)[:10], one.opened, one.closed, one.reopened, one.backlog) for one in found.weeks)
    flow = data_table(("Week of", "Opened", "Closed", "Reopened", "Open at its end"), weeks, "Flow")
    back, late = found.reopened, found.late_duplicates
    rates = data_table(
        ("Rate", "Count", "Of", "From", "To"),
        (
            ("reopened within 90 days", back.k, back.n, f"{back.low:.1%}", f"{back.high:.1%}"),
            ("duplicates known only after 14 days", late.k, late.n, f"{late.low:.1%}", f"{late.high:.1%}"),
        ),
        "Rates, with the interval in which they lie with 95 % confidence",
    )
    backlog = [(week.begins_at, float(week.backlog)) for week in found.weeks]
    drawn = _plot(backlog, f"Open bugs over {len(backlog)} weeks", step=False)
    curve = _plot(
        _waiting(found.resolve),
        "Share of bugs that still wait for an end, over the time since they were opened",
        step=True,
    )
    headline = el("p", f"{found.bugs} bugs, {found.open} open.")
    return _page("Flow", found.at, join((headline, drawn, flow, curve, times, rates)), f"{HERE}/flow")


def rules_page(rules: Iterable[Rule], found: Sequence[Proposal], at: float) -> Reply:
    """Each rule, and what it would do."""
    parts: list[Html] = []
    for rule in rules:
        mine = [one for one in found if one.rule == rule.name]
        rows = (
            (link(bug_path(one.bug), one.bug), one.title, "held" if one.held else "") for one in mine[:RULE_ROWS_MAX]
        )
        does = ", ".join(
            filter(None, (f"status {rule.status}" if rule.status else "", f"tag {rule.tag}" if rule.tag else ""))
        )
        parts.append(el("h2", rule.name))
        parts.append(el("p", f"{rule.reason}. ", el("code", rule.query), f" {does or 'points at it'}"))
        parts.append(
            data_table(("Bug", "Title", ""), rows, f"{len(mine)} bugs") if mine else el("p", "No bug.", class_="note")
        )
    return _page("Rules", at, join(parts), f"{HERE}/rules")


def fixes_page(span: str, release: Release, at: float) -> Reply:
    """What is fixed in the releases of a range."""
    rows = (
        (link(bug_path(one.bug), one.bug), one.release, one.title, "reverted since" if one.reverted else "")
        for one in release.fixed[:ROWS_MAX]
    )
    table = data_table(
        ("Bug", "Release", "What", ""), rows, f"{len(release.fixed)} bugs fixed, {len(release.partial)} worked on"
    )
    form = _form(f"{HERE}/release", "Releases after A up to B, as A..B", "range", span)
    return _page(f"Release {span}", at, join((form, table)) if span else form, f"{HERE}/release")


def like_page(text: str, found: Iterable[tuple[Bug, Match]], at: float) -> Reply:
    """Bugs that are like a text, with what they share with it."""
    rows = [
        (link(bug_path(bug.key), bug.key), f"{one.likeness:.0%}", bug.status, ", ".join(one.reasons), bug.title)
        for bug, one in found
    ]
    form = _form(f"{HERE}/like", "What is it that fails?", "text", text)
    heads = ("Bug", "Likeness", "Status", "Shared terms", "Title")
    table = data_table(heads, rows, f"{len(rows)} bugs are like it, the likest first") if text else None
    return _page("Search", at, join((form, table)), f"{HERE}/like")


def site(
    queue: Sequence[Entry],
    bugs: Mapping[str, tuple[Bug, Sequence[Clock]]],
    found: Measures,
    rules: Sequence[Rule],
    proposals: Sequence[Proposal],
    at: float,
) -> dict[str, bytes]:
    """All pages but those of releases, by path below the address at which they are served. Private bugs are left out."""
    seen = {key for key, (bug, _) in bugs.items() if not bug.private}
    replies = {
        HERE: duty_page([entry for entry in queue if entry.bug in seen], at),
        f"{HERE}/flow": flow_page(found),
        f"{HERE}/rules": rules_page(rules, [one for one in proposals if one.bug in seen], at),
        **{bug_path(key): bug_page(*bugs[key], at) for key in sorted(seen)},
    }
    return {path: bytes(reply.body) for path, reply in replies.items() if isinstance(reply.body, bytes)}


def _form(to: str, label: str, name: str, value: str) -> Html:
    asked = el("label", label, el("input", name=name, value=value, required=True))
    return el("form", asked, el("button", "Show"), action=to, method="get")


def _thinned(times: Times) -> Times:
    curve = times.curve
    every = -(-len(curve) // CURVE_MAX) or 1
    kept = curve[::every]
    return msgspec.structs.replace(times, curve=kept if kept[-1:] == curve[-1:] else (*kept, curve[-1]))


def _page(title: str, at: float, content: Html, here: str) -> Reply:
    return page(title, content, at=at, here=here, links=_LINKS)


def _time_row(name: str, times: Times) -> tuple[str | int, ...]:
    return (name, times.happened, times.n, *(length(one) for one in times.quantiles_s.values()))


def _told(deed: Deed) -> str:
    if deed.what is What.COMMIT:
        return f"{deed.link} {deed.value}"
    return deed.value


def _waiting(times: Times) -> list[tuple[float, float]]:
    return [(0.0, 1.0), *times.curve] if times.curve else []


def _plot(points: Sequence[tuple[float, float]], title: str, *, step: bool) -> Html | None:
    """A curve with its ends named; the tables beside it have the numbers."""
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    top = max(value for _, value in points) or 1.0
    path = []
    for number, (x, y) in enumerate(points):
        across = _EDGE + (_WIDTH - 2 * _EDGE) * (x - first) / ((last - first) or 1.0)
        down = _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * y / top
        path.append(
            (f"H{across:.1f}V{down:.1f}" if step else f"L{across:.1f} {down:.1f}")
            if number
            else f"M{across:.1f} {down:.1f}"
        )
    begun, ended = ("0", length(last)) if step else (shown(first)[:10], shown(last)[:10])
    drawn = el(
        "svg",
        el("path", class_="axis", d=f"M{_EDGE} {_HEIGHT - _EDGE}H{_WIDTH - _EDGE}", fill="none"),
        el("path", class_="curve", d="".join(path)),
        el("text", begun, x=_EDGE, y=_HEIGHT - 6),
        el("text", ended, x=_WIDTH - _EDGE, y=_HEIGHT - 6, text_anchor="end"),
        el("text", f"{top:g}", x=2, y=_EDGE - 6),
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=title,
    )
    return el("figure", drawn, el("figcaption", f"{title}.", class_="note"))
