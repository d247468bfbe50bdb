"""What people and pages ask of CI, in one place: how systems do, where they stand, what may merge."""

import msgspec

from kilonova.database.database import Transaction
from kilonova.health.ci.archive import REGISTRY, Archive
from kilonova.health.ci.evaluation import LOOK_BACK_S, Scored, Scoring, days_between, scored, walked
from kilonova.health.ci.facts import EVERYTHING, Labelled, Waived, WaiverEnded
from kilonova.health.ci.gate import Decision, Known, judge
from kilonova.health.ci.history import Change
from kilonova.health.ci.journal import (
    Decided,
    decided_cursor,
    decided_txn,
    decision_keep_txn,
    standing_txn,
    states_txn,
    transitions_append_txn,
)
from kilonova.health.ci.policy import Policy
from kilonova.health.ci.voting import Standing, State, Thresholds, Transition, lowered, unfit_for
from kilonova.health.document import digest
from kilonova.health.moments import shown
from kilonova.health.store import facts_of_kinds_txn
from kilonova.kernel.errors import Invalid, NotFound

WAIVER_MAX_S = 30 * 86400.0
"""The longest that a waiver may hold."""


class NoChange(NotFound):
    """Nothing that was imported names the change {subject}; changes are named HOST/NUMBER."""

    code = "no-change"


class NoWaiver(NotFound):
    """There is no waiver {id}."""

    code = "no-waiver"


class BadWaiver(Invalid):
    """A waiver {reason}."""

    code = "bad-waiver"


class Row(msgspec.Struct, frozen=True):
    """How one system does and where it stands."""

    scored: Scored
    state: State
    since: float | None
    lacks: tuple[str, ...]
    """What keeps it from rising."""


def row_document(row: Row) -> dict[str, object]:
    """A row for programs."""
    return {
        "name": row.scored.system.name,
        "state": row.state,
        "since": row.since,
        "last_report_at": row.scored.last_report_at,
        "month": msgspec.to_builtins(row.scored.month),
        "fortnight": msgspec.to_builtins(row.scored.fortnight),
        "lacks": row.lacks,
    }


class Desk:
    """Answers on an archive."""

    def __init__(self, archive: Archive) -> None:
        """Everything is in `archive`."""
        self.archive = archive
        self.database = archive.database

    async def status(self, at: float, limits: Thresholds) -> list[Row]:
        """How every registered system did at a moment."""
        registry = await self.archive.registry(at)
        changes = await self.archive.changes(at - LOOK_BACK_S, at)
        rows = []
        for one in scored(registry, changes, at):
            standing = await self.database.read(standing_txn, one.system.name, at)
            state = State.PROPOSED if standing is None else standing.state
            rows.append(Row(one, state, None if standing is None else standing.since, unfit_for(one.month, limits)))
        return rows

    async def decide(self, at: float, limits: Thresholds, named: frozenset[str] = frozenset()) -> list[Transition]:
        """Decide on every system for each day since it was decided last, and keep what changed.

        Args:
            at: the last moment that is looked from.
            limits: the rules' thresholds.
            named: the systems that a policy requires.

        Raises:
            Overtaken: somebody else did so at the same time.
        """
        registry = await self.archive.registry(at)
        found: list[Transition] = []
        for system in registry.systems:
            standing = await self.database.read(standing_txn, system.name, at)
            decided = await self.database.read(decided_txn, system.name)
            begin = await self._begin(at) if decided is None else decided.until
            changes = await self.archive.changes(begin - LOOK_BACK_S, at)
            now = standing or Standing(system.name, State.PROPOSED, begin)
            if decided is not None and decided.fit_since is not None and decided.fit_since >= now.since:
                now = msgspec.structs.replace(now, fit_since=decided.fit_since)
            scoring, days = Scoring(system, changes, registry), days_between(begin, at)
            if not days:
                continue
            steps = list(walked(scoring, now, limits, days, named=system.name in named))
            made = [transition for _, transition in steps if transition is not None]
            cursor = decided_cursor(system.name, Decided(days[-1], steps[-1][0].fit_since))
            before = [] if standing is None else [standing]
            await self.database.write(transitions_append_txn, before, made, [cursor])
            found += made
        return found

    async def lower(self, name: str, new: State, at: float, actor: str, reason: str) -> Transition:
        """Let a person lower a system, or set it to trial. Raises `NoSuchSystem`, `OnlyDown`, `Overtaken`."""
        (await self.archive.registry(at)).system(name)
        standing = await self.database.read(standing_txn, name, at) or Standing(name, State.PROPOSED, 0.0)
        transition = lowered(standing, new, at, actor, reason)
        await self.database.write(transitions_append_txn, [standing], [transition])
        return transition

    async def waive(self, waived: Waived, at: float, subject: str = EVERYTHING) -> None:
        """Let changes pass without a system, for a while. Raises `BadWaiver`, `NoSuchSystem`."""
        if waived.until <= at:
            raise BadWaiver(reason="must end in the future")
        if waived.until - at > WAIVER_MAX_S:
            raise BadWaiver(reason=f"holds 30 days at most: until {shown(at + WAIVER_MAX_S)}")
        if not waived.reason.strip() or not waived.by.strip():
            raise BadWaiver(reason="needs a reason, and the name of who gives it")
        (await self.archive.registry(at)).system(waived.system)
        await self.archive.say(waived, at, subject)

    async def waiver_end(self, id_: str, by: str, at: float) -> None:
        """End a waiver before its time. Raises `NoWaiver`."""
        if not any(one.waived.id == id_ for one in await self.archive.waivers(at)):
            raise NoWaiver(id=id_)
        await self.archive.say(WaiverEnded(id_, by), at)

    async def label(self, subject: str, said: Labelled, at: float) -> None:
        """Keep what a person says of a verdict. Raises `NoChange`, `NoSuchSystem`."""
        await self.change(subject, at)
        (await self.archive.registry(at)).system(said.system)
        await self.archive.say(said, at, subject)

    async def change(self, subject: str, at: float) -> Change:
        """A change. Raises `NoChange`."""
        change = await self.archive.change(subject, at)
        if change is None:
            raise NoChange(subject=subject)
        return change

    async def gate(self, subject: str, number: int | None, policy: Policy, text: str, at: float) -> Decision:
        """Whether a patch set may merge. The decision is kept. Raises `NoChange`.

        Args:
            subject: the change.
            number: the patch set; the newest when None.
            policy: of the branch that the change is for.
            text: the policy as it is written, for the record.
            at: the moment.
        """
        change = await self.change(subject, at)
        states = await self.database.read(states_txn, at)
        until = await self.archive.known_until()
        known = Known(
            policy=policy,
            policy_digest=digest(text.encode()),
            registry=await self.archive.registry(at),
            states=states,
            waivers=await self.archive.waivers(at),
            known_until=until.get(source_of(subject)),
            at=at,
        )
        decision = judge(change, number, known)
        await self.database.write(decision_keep_txn, decision, at)
        return decision

    async def _begin(self, at: float) -> float:
        """The day before there was a registry."""
        first = await self.database.read(_registered_txn, at)
        return (first if first is not None else at) - 86400.0


def source_of(subject: str) -> str:
    """The source that tells of a change."""
    host, _, rest = subject.partition("/")
    return f"github:{rest.rpartition('/')[0]}" if host == "github.com" else f"gerrit:{host}"


def _registered_txn(tx: Transaction, at: float) -> float | None:
    facts = facts_of_kinds_txn(tx, [REGISTRY], 0.0, at)
    return facts[0].at if facts else None
