"""Shrinking: a seed that is violated, with ever less that happens in it, as long as the same thing is violated."""

import msgspec

from kilonova.simulation.difference import shape
from kilonova.simulation.run import Result, run
from kilonova.simulation.scenarios import scenario

RUNS_MAX = 300


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A seed of a scenario, with less in it than the scenario says."""

    seed: int
    scenario: str
    clients: int | None = None
    requests: int | None = None
    storm_s: float | None = None
    without: tuple[str, ...] = ()
    """Kinds of faults, and single ones, that are left out: see `Faults`."""

    @property
    def options(self) -> str:
        """What `kilonova sim replay` takes to run it."""
        words = [str(self.seed), "--scenario", self.scenario]
        for name in ("clients", "requests", "storm_s"):
            value = getattr(self, name)
            if value is not None:
                words += [f"--{name.replace('_', '-')}", f"{value:g}"]
        for fault in self.without:
            words += ["--without", fault]
        return " ".join(words)


class Shrunk(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a seed."""

    case: Case
    result: Result
    """The smallest run that is violated still."""
    runs: int
    last_fault: str | None
    """A fault without which nothing is violated; None when there is no such single one."""
    passing: Result | None
    """The run without it."""


def run_case(case: Case, *, timeline: bool = False) -> Result:
    """Run a case. Raises KeyError for a scenario that there isn't."""
    chosen = scenario(case.scenario)
    plan = chosen.plan
    if case.requests is not None:
        plan = msgspec.structs.replace(plan, requests=case.requests)
    chosen = msgspec.structs.replace(
        chosen,
        clients=chosen.clients if case.clients is None else case.clients,
        storm_s=chosen.storm_s if case.storm_s is None else case.storm_s,
        plan=plan,
    )
    return run(case.seed, chosen, without=case.without, timeline=timeline)


def shrink(case: Case, runs_max: int = RUNS_MAX) -> Shrunk | None:
    """Make a case smaller in at most `runs_max` runs; None when nothing is violated by it."""
    search = _Search(case, runs_max)
    if not search.result.violations:
        return None
    search.lessen_the_load()
    search.leave_out_kinds()
    search.leave_out_faults()
    return search.shrunk()


class _Search:
    """The smallest case found so far."""

    def __init__(self, case: Case, runs_max: int) -> None:
        self.case = case
        self.result = run_case(case)
        self._wanted = {shape(what) for what in self.result.violations}
        self._runs = 1
        self._runs_max = runs_max

    def lessen_the_load(self) -> None:
        """A shorter storm, fewer clients, fewer requests."""
        chosen = scenario(self.case.scenario)
        for share in (0.1, 0.25, 0.5, 0.75):
            if self._smaller(storm_s=round(chosen.storm_s * share, 1)):
                break
        for clients in range(1, chosen.clients):
            if self._smaller(clients=clients):
                break
        for requests in range(1, chosen.plan.requests):
            if self._smaller(requests=requests):
                break

    def leave_out_kinds(self) -> None:
        """Whole kinds of faults."""
        for kind in sorted(self.result.fault_counts):
            self._smaller(without=(*self.case.without, kind))

    def leave_out_faults(self) -> None:
        """Single faults: first in large lots, then in ever smaller ones (Zeller, "Simplifying failure-inducing input")."""
        lot = len(self.result.struck) // 2
        while lot >= 1:
            at = 0
            while at < len(self.result.struck):
                chosen = self.result.struck[at : at + lot]
                if not self._smaller(without=(*self.case.without, *chosen)):
                    at += lot
            lot //= 2

    def shrunk(self) -> Shrunk:
        """The end: once more with its timeline, and what the last fault makes of it."""
        for fault in reversed(self.result.struck):
            without = (*self.case.without, fault)
            other = run_case(msgspec.structs.replace(self.case, without=without), timeline=True)
            self._runs += 1
            if not other.violations:
                return self._told(fault, other)
        return self._told(None, None)

    def _told(self, fault: str | None, passing: Result | None) -> Shrunk:
        result = run_case(self.case, timeline=True)
        return Shrunk(case=self.case, result=result, runs=self._runs + 1, last_fault=fault, passing=passing)

    def _smaller(self, **fields: object) -> bool:
        """Whether the case with these fields is violated in the same way; it is taken then."""
        if self._runs >= self._runs_max:
            return False
        self._runs += 1
        case = msgspec.structs.replace(self.case, **fields)
        result = run_case(case)
        if not self._wanted & {shape(what) for what in result.violations}:
            return False
        self.case, self.result = case, result
        return True
