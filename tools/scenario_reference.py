"""The page of scenarios: storms, then the cases of each family."""

from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.table import FAMILIES
from kilonova.simulation.scenarios import SCENARIOS

BUG = "https://bugs.launchpad.net/nova/+bug"


def page() -> str:
    """Everything below the mark."""
    weather = "\n".join(f"| `{scenario.name}` | {scenario.about} |" for scenario in SCENARIOS.values())
    storms = f"## Storms\n\n| scenario | what happens |\n|---|---|\n{weather}\n"
    families = "\n".join(f"### {title}\n\n{_table(cases)}" for title, cases in FAMILIES.items())
    return f"{storms}\n## Cases\n\n{families}"


def _table(cases: tuple[Case, ...]) -> str:
    rows = "\n".join(
        f"| `{case.id}` | {case.title} | {case.given} | {case.when} | {case.then} | {_links(case)} |" for case in cases
    )
    return f"| case | what happens | given | when | then | bugs of Nova |\n|---|---|---|---|---|---|\n{rows}\n"


def _links(case: Case) -> str:
    return ", ".join(f"[{bug}]({BUG}/{bug})" for bug in case.bugs)
