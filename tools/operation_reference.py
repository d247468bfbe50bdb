"""The page about operations, made from the catalog: states and the way between them, and the steps of every kind."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.server import VmState
from kilonova.operations.catalog import ACTIONS, CELL_PLANS
from kilonova.operations.states import ANY_KIND, Action
from kilonova.operations.work import Work

MANY = 1000
"""Retries from here on mean: until the deadline."""


def page() -> str:
    """The content of docs/reference/operations.md."""
    return "\n".join([_diagram(), *(_section(plan, ACTIONS[kind]) for kind, plan in sorted(CELL_PLANS.items()))])


def _diagram() -> str:
    """A diagram of the states at rest; failures and `delete`, which is possible in all of them, are in the tables."""
    moves = sorted(
        {
            (before, action.ends_in, kind)
            for kind, action in ACTIONS.items()
            if action.ends_in is not None and kind != "delete"
            for before in action.starts_in
            if before is not action.ends_in
        }
    )
    labels: dict[tuple[VmState, VmState], list[str]] = {}
    for before, after, kind in moves:
        labels.setdefault((before, after), []).append(kind)
    lines = [f"    {_id(before)} --> {_id(after)}: {', '.join(kinds)}" for (before, after), kinds in labels.items()]
    return "\n".join(["## States", "", "```mermaid", "stateDiagram-v2", *lines, "```", ""])


def _id(state: VmState) -> str:
    return state.value.replace("-", "_")


def _section(plan: Plan[Work], action: Action) -> str:
    ends = {action.ends_in, *action.may_end_in} - {None}
    facts = [
        f"- Shown as: `{action.name}`",
        f"- Starts in: {_states(action.starts_in)}",
        f"- Ends in: {_states(ends) if ends else 'the state it began in'}",
        f"- Fails in: {'the state it began in' if action.fails_in is None else f'`{action.fails_in}`'}",
        f"- Interrupts: {_interrupted(action)}",
        f"- Deadline: {plan.deadline_s:g} s",
    ]
    rows = [_row(step, action) for step in plan.steps]
    head = ["| step | where | task state | timeout | retries | undo | remarks |", "|---|---|---|---|---|---|---|"]
    return "\n".join([f"## {plan.kind}", "", *facts, "", *head, *rows, ""])


def _states(states: frozenset[VmState] | set[VmState | None]) -> str:
    return ", ".join(f"`{state}`" for state in VmState if state in states)


def _interrupted(action: Action) -> str:
    spared = f", but {', '.join(f'`{kind}`' for kind in sorted(action.spares))}" if action.spares else ""
    if ANY_KIND in action.interrupts:
        return f"everything{spared}"
    return ", ".join(f"`{kind}`" for kind in sorted(action.interrupts)) or "nothing"


def _row(step: Step[Work], action: Action) -> str:
    where = "control plane" if step.on_host is None else f"`{step.at}`"
    task = action.walk.get(step.name)
    retries = "until the deadline" if step.retries >= MANY else str(step.retries)
    cells = [
        f"`{step.name}`",
        where,
        "" if task is None else f"`{task}`",
        f"{step.timeout_s:g} s",
        retries,
        "yes" if step.undoable else "",
        ", ".join(_remarks(step)),
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _remarks(step: Step[Work]) -> list[str]:
    said = {
        "no way back after it": step.pivot,
        "a lost host owes it": step.tombstone,
        "a lost host owes its undo": step.undo_tombstone,
        "goes on without a lost host": step.goes_on,
        "another host may do it": step.elsewhere,
    }
    return [remark for remark, true in said.items() if true]
