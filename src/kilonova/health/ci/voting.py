"""What a CI system may do, decided by evidence: a table of states, and rules with hysteresis. Pure.

The bounds to rise and to fall differ, and so do the windows: rising takes the lower end of a month's interval for two weeks,
falling takes the upper end of two weeks' interval once. People lower at once, and raise to `trial` only.
"""

from enum import StrEnum

import msgspec

from kilonova.health.ci.metrics import DAY_S, FAST_FAILURES, Metrics
from kilonova.kernel.errors import Conflict


class State(StrEnum):
    """Where a CI system stands, the most trusted last but for the three that have fallen."""

    RETIRED = "retired"
    SUSPENDED = "suspended"
    PROPOSED = "proposed"
    TRIAL = "trial"
    NONVOTING = "nonvoting"
    DEGRADED = "degraded"
    VOTING = "voting"
    REQUIRED = "required"

    @property
    def votes(self) -> bool:
        """Whether its verdicts decide anything."""
        return self in {State.VOTING, State.REQUIRED}


RANK = {state: rank for rank, state in enumerate(State)}
"""How much each state is trusted."""


class OnlyDown(Conflict):
    """{system} is {old}: people may lower it, or set it to trial where it is below that; {new} is decided by evidence."""

    code = "only-down"


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When states change. Rates are shares, times are days."""

    trial_results: int = 20
    readable: float = 0.95
    agreement_up: float = 0.90
    agreement_down: float = 0.88
    known_up: int = 50
    """Fewest verdicts on patch sets whose outcome is known, to rise."""
    known_down: int = 20
    """Fewest of them, to fall by them."""
    attained_up: float = 0.90
    attained_down: float = 0.80
    availability: float = 0.95
    flakes: float = 0.05
    excused: float = 0.10
    up_days: int = 14
    """How long everything must hold to rise."""
    back_days: int = 7
    """How long to come back from degraded."""
    dwell_days: int = 14
    """How long a state is kept at least, unless it falls."""
    degraded_days: int = 14
    """How long a system may be degraded until it is suspended."""
    silent_days: int = 90
    """How long without a word until it is retired."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known of a system at the end of a day."""

    at: float
    month: Metrics
    fortnight: Metrics
    results: int
    """Judgements since it came into its state."""
    readable: float | None
    """Share of its reports that lead to their logs."""
    last_report_at: float | None
    named: bool
    """Whether the policy requires it anywhere."""


class Standing(msgspec.Struct, frozen=True):
    """Where a system stands, and since when it has been fit to rise."""

    system: str
    state: State
    since: float
    fit_since: float | None = None


class Transition(msgspec.Struct, frozen=True):
    """A change of state and why."""

    system: str
    old: State
    new: State
    at: float
    rule: str
    actor: str
    reason: str
    evidence: Evidence | None = None


def unfit_for(month: Metrics, limits: Thresholds) -> tuple[str, ...]:
    """What keeps a system from rising, a sentence each; nothing when it is fit."""
    found = []
    if month.agreement.n < limits.known_up:
        found.append(f"{month.agreement.n} of {limits.known_up} verdicts with a known outcome")
    if month.agreement.low < limits.agreement_up:
        found.append(f"agreement may be as low as {month.agreement.low:.3f}, {limits.agreement_up} is needed")
    if month.attained.low < limits.attained_up:
        found.append(f"answers in time may be as few as {month.attained.low:.3f}, {limits.attained_up} is needed")
    if (month.availability.value or 0.0) < limits.availability:
        found.append(f"availability is {month.availability.value or 0.0:.3f}, {limits.availability} is needed")
    if month.flakes.high > limits.flakes:
        found.append(f"flakes may be as many as {month.flakes.high:.3f}, {limits.flakes} is allowed")
    if (month.excused.value or 0.0) > limits.excused:
        found.append(f"{month.excused.k} of {month.excused.n} verdicts are excused, {limits.excused} is allowed")
    if month.unexamined:
        found.append(f"{month.unexamined} missed breaks that nobody has examined")
    return tuple(found)


def failing(fortnight: Metrics, limits: Thresholds) -> str | None:
    """Why a system must fall; None when it needn't."""
    if fortnight.agreement.n >= limits.known_down and fortnight.agreement.high < limits.agreement_down:
        return f"agreement is at most {fortnight.agreement.high:.3f}, below {limits.agreement_down}"
    if fortnight.attained.n and fortnight.attained.high < limits.attained_down:
        return f"answers in time are at most {fortnight.attained.high:.3f}, below {limits.attained_down}"
    if fortnight.silent:
        return f"{fortnight.silence} in a row went unanswered"
    if fortnight.fast_failures >= FAST_FAILURES:
        return f"{fortnight.fast_failures} failures in a row on changes that proved good"
    return None


def decide(standing: Standing, evidence: Evidence, limits: Thresholds) -> tuple[Standing, Transition | None]:
    """Where a system stands after one more day. At most one step is taken."""
    unfit = unfit_for(evidence.month, limits)
    fit_since = None if unfit else (standing.fit_since or evidence.at)
    kept = msgspec.structs.replace(standing, fit_since=fit_since)
    step = _step(kept, evidence, limits)
    if step is None:
        return kept, None
    new, rule, reason = step
    transition = Transition(standing.system, standing.state, new, evidence.at, rule, "evidence", reason, evidence)
    stays_fit = new.votes and standing.state.votes
    return Standing(standing.system, new, evidence.at, fit_since if stays_fit else None), transition


def lowered(standing: Standing, new: State, at: float, actor: str, reason: str) -> Transition:
    """What a person does to a system. Raises `OnlyDown` for what only evidence may do."""
    down = RANK[new] < RANK[standing.state]
    again = new is State.TRIAL and RANK[standing.state] < RANK[State.TRIAL]
    if not (down or again):
        raise OnlyDown(system=standing.system, old=standing.state, new=new)
    return Transition(standing.system, standing.state, new, at, "person", actor, reason)


def _step(standing: Standing, evidence: Evidence, limits: Thresholds) -> tuple[State, str, str] | None:
    state, days = standing.state, (evidence.at - standing.since) / DAY_S
    heard = max(standing.since, evidence.last_report_at or standing.since)
    if state is not State.RETIRED and evidence.at - heard >= limits.silent_days * DAY_S:
        return State.RETIRED, "silent", f"nothing was heard of it for {limits.silent_days} days"
    if state is State.PROPOSED:
        return State.TRIAL, "registered", "its entry in the registry is sound"
    if state is State.TRIAL:
        return _after_trial(evidence, limits)
    if state is State.NONVOTING:
        return _up(standing, evidence, limits, days)
    if state.votes:
        return _while_voting(state, evidence, limits)
    if state is State.DEGRADED:
        return _while_degraded(standing, evidence, limits, days)
    return None


def _after_trial(evidence: Evidence, limits: Thresholds) -> tuple[State, str, str] | None:
    if evidence.results >= limits.trial_results and (evidence.readable or 0.0) >= limits.readable:
        return (
            State.NONVOTING,
            "trial",
            f"{evidence.results} results, {evidence.readable:.0%} of them lead to their logs",
        )
    return None


def _up(standing: Standing, evidence: Evidence, limits: Thresholds, days: float) -> tuple[State, str, str] | None:
    if standing.fit_since is None or days < limits.dwell_days:
        return None
    if evidence.at - standing.fit_since >= limits.up_days * DAY_S:
        return State.VOTING, "promote", f"fit for {limits.up_days} days"
    return None


def _while_voting(state: State, evidence: Evidence, limits: Thresholds) -> tuple[State, str, str] | None:
    why = failing(evidence.fortnight, limits)
    if why is not None:
        return State.DEGRADED, "degrade", why
    if state is State.VOTING and evidence.named:
        return State.REQUIRED, "policy", "the policy requires it"
    if state is State.REQUIRED and not evidence.named:
        return State.VOTING, "policy", "the policy requires it no more"
    return None


def _while_degraded(
    standing: Standing, evidence: Evidence, limits: Thresholds, days: float
) -> tuple[State, str, str] | None:
    fit = standing.fit_since is not None and evidence.at - standing.fit_since >= limits.back_days * DAY_S
    if fit and failing(evidence.fortnight, limits) is None:
        return State.VOTING, "back", f"fit for {limits.back_days} days"
    if days >= limits.degraded_days:
        return State.SUSPENDED, "suspend", f"degraded for {limits.degraded_days} days"
    return None
