"""The pages of bugs as they are asked for: duty, a bug, flow, rules, a release, and bugs that are like a text."""

import msgspec

from kilonova.health.bugs.pages import (
    ROWS_MAX,
    RULE_ROWS_MAX,
    bug_page,
    duty_page,
    fixes_page,
    flow_page,
    like_page,
    of_everybody,
    rules_page,
    short,
    thinned,
)
from kilonova.health.bugs.releases import Release, release_page
from kilonova.health.bugs.rules import shipped
from kilonova.health.bugs.service import Desk, NoBug
from kilonova.health.web.answers import answered, asked, moment_asked
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

WEEKS = 26
"""Weeks of flow that are shown."""


class BugPages:
    """The handlers. Private bugs are on none of them."""

    def __init__(self, desk: Desk, runtime: Runtime) -> None:
        """Show what `desk` knows; now is the runtime's."""
        self._desk = desk
        self._runtime = runtime

    def routes(self) -> list[Route]:
        """Where they are, below the mount."""
        handlers = {
            "/bugs": self.duty,
            "/bugs/flow": self.flow,
            "/bugs/rules": self.rules,
            "/bugs/release": self.release,
            "/bugs/like": self.like,
            "/bugs/{tracker}/{number}": self.bug,
            "/bugs/{tracker}/{owner}/{name}/{number}": self.bug,
        }
        return [Route(method="GET", path=path, handler=handler, public=True) for path, handler in handlers.items()]

    async def duty(self, call: Call) -> Reply:
        """GET /bugs: what is to be done next."""
        at = self._at(call)
        queue = of_everybody(await self._desk.queue(at, rules=shipped()), await self._desk.bugs(at))
        document = {
            "waiting": len(queue),
            "broken": sum(one.broken for one in queue),
            "queue": queue[:ROWS_MAX],
        }
        return answered(call, document, at, duty_page(queue, at))

    async def bug(self, call: Call) -> Reply:
        """GET /bugs/{key}: one bug. Raises `NoBug`, for private ones too."""
        at, key = self._at(call), "/".join(call.params.values())
        bug, clocks = await self._desk.bug(key, at)
        if bug.private:
            raise NoBug(key=key, hint="")
        bug = short(bug)
        return answered(call, {"bug": bug, "clocks": clocks}, at, bug_page(bug, clocks, at))

    async def flow(self, call: Call) -> Reply:
        """GET /bugs/flow: how long things take, what comes and goes."""
        at = self._at(call)
        found = thinned(await self._desk.measures(at, WEEKS))
        document = {name: value for name, value in msgspec.structs.asdict(found).items() if name != "at"}
        return answered(call, document, at, flow_page(found))

    async def rules(self, call: Call) -> Reply:
        """GET /bugs/rules: each rule, and what it would do."""
        at = self._at(call)
        bugs = await self._desk.bugs(at)
        found = [
            one
            for one in await self._desk.tidy(shipped(), at, carry_out=False)
            if one.bug in bugs and not bugs[one.bug].private
        ]
        mine = {rule.name: [one for one in found if one.rule == rule.name] for rule in shipped()}
        document = [
            {
                "name": rule.name,
                "query": rule.query,
                "reason": rule.reason,
                "count": len(mine[rule.name]),
                "bugs": mine[rule.name][:RULE_ROWS_MAX],
            }
            for rule in shipped()
        ]
        return answered(call, document, at, rules_page(shipped(), found, at))

    async def release(self, call: Call) -> Reply:
        """GET /bugs/release?range=A..B: what is fixed in the releases of a range. Raises `BadRange`."""
        at, span = self._at(call), asked(call, "range")
        visible = [bug for bug in (await self._desk.bugs(at)).values() if not bug.private]
        found = release_page(span, visible) if span else Release((), (), (), ())
        document = {
            "range": span,
            "releases": found.releases,
            "fixed": [
                {"bug": one.bug, "title": one.title, "release": one.release, "reverted": one.reverted}
                for one in found.fixed[:ROWS_MAX]
            ],
            "fixed_count": len(found.fixed),
            "partial_count": len(found.partial),
        }
        return answered(call, document, at, fixes_page(span, found, at))

    async def like(self, call: Call) -> Reply:
        """GET /bugs/like?text=...: bugs that a report may be about."""
        at, text = self._at(call), asked(call, "text")
        bugs = await self._desk.bugs(at)
        found = await self._desk.duplicates(text, "", at) if text.strip() else []
        known = [(bugs[one.key], one) for one in found if one.key in bugs]
        document = [
            {"bug": bug.key, "title": bug.title, "status": bug.status, "likeness": one.likeness, "reasons": one.reasons}
            for bug, one in known
        ]
        return answered(call, document, at, like_page(text, known, at))

    def _at(self, call: Call) -> float:
        return moment_asked(call, self._runtime.now())
