"""Shrinking: a seed that is violated, with ever less that happens in it, as long as the same thing is violated."""

import msgspec

from kilonova.simulation.difference import shape
from kilonova.simulation.run import Result, named, run
from kilonova.simulation.scenarios import Scenario

RUNS_MAX = 300


class Replay(msgspec.Struct, frozen=True, kw_only=True):
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

    replay: Replay
    result: Result
    """The smallest run that is violated still."""
    runs: int
    last_fault: str | None
    """A fault without which nothing is violated; None when there is no such single one."""
    passing: Result | None
    """The run without it."""


def run_replay(replay: Replay, *, timeline: bool = False) -> Result:
    """Run a seed. Raises KeyError for a scenario that there isn't."""
    chosen = named(replay.scenario)
    if isinstance(chosen, Scenario):
        chosen = _with_less(chosen, replay)
    return run(replay.seed, chosen, without=replay.without, timeline=timeline)


def _with_less(chosen: Scenario, replay: Replay) -> Scenario:
    plan = chosen.plan
    if replay.requests is not None:
        plan = msgspec.structs.replace(plan, requests=replay.requests)
    return msgspec.structs.replace(
        chosen,
        clients=chosen.clients if replay.clients is None else replay.clients,
        storm_s=chosen.storm_s if replay.storm_s is None else replay.storm_s,
        plan=plan,
    )


def shrink(replay: Replay, runs_max: int = RUNS_MAX) -> Shrunk | None:
    """Make a seed smaller in at most `runs_max` runs; None when nothing is violated by it."""
    search = _Search(replay, runs_max)
    if not search.result.violations:
        return None
    search.lessen_the_load()
    search.leave_out_kinds()
    search.leave_out_faults()
    return search.shrunk()


class _Search:
    """The smallest replay found so far."""

    def __init__(self, replay: Replay, runs_max: int) -> None:
        self.replay = replay
        self.result = run_replay(replay)
        self._wanted = {shape(what) for what in self.result.violations}
        self._runs = 1
        self._runs_max = runs_max

    def lessen_the_load(self) -> None:
        """A shorter storm, fewer clients, fewer requests; the story of a case stays as it is."""
        chosen = named(self.replay.scenario)
        if not isinstance(chosen, Scenario):
            return
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
            self._smaller(without=(*self.replay.without, kind))

    def leave_out_faults(self) -> None:
        """Single faults: first in large lots, then in ever smaller ones (Zeller, "Simplifying failure-inducing input")."""
        lot = len(self.result.struck) // 2
        while lot >= 1:
            at = 0
            while at < len(self.result.struck):
                chosen = self.result.struck[at : at + lot]
                if not self._smaller(without=(*self.replay.without, *chosen)):
                    at += lot
            lot //= 2

    def shrunk(self) -> Shrunk:
        """The end: once more with its timeline, and what the last fault makes of it."""
        for fault in reversed(self.result.struck):
            without = (*self.replay.without, fault)
            other = run_replay(msgspec.structs.replace(self.replay, without=without), timeline=True)
            self._runs += 1
            if not other.violations:
                return self._told(fault, other)
        return self._told(None, None)

    def _told(self, fault: str | None, passing: Result | None) -> Shrunk:
        result = run_replay(self.replay, timeline=True)
        return Shrunk(replay=self.replay, result=result, runs=self._runs + 1, last_fault=fault, passing=passing)

    def _smaller(self, **fields: object) -> bool:
        """Whether the replay with these fields is violated in the same way; it is taken then."""
        if self._runs >= self._runs_max:
            return False
        self._runs += 1
        replay = msgspec.structs.replace(self.replay, **fields)
        result = run_replay(replay)
        if not self._wanted & {shape(what) for what in result.violations}:
            return False
        self.replay, self.result = replay, result
        return True
