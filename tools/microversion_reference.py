"""The page about microversions, made from the line's changes and from the routes: what each of them changes, sorted by kind."""

from kilonova.api.changes import Kind, Told, at
from kilonova.api.openapi import Documents
from kilonova.api.service import described
from kilonova.objects.history.unserved import UNSERVED

HEAD = "| microversion | shape | route | behaviour |\n|---|---|---|---|"


def page() -> str:
    """The content of docs/reference/microversions.md."""
    documents = Documents(described())
    return "\n".join([HEAD, *(_row(documents, label) for label in documents.line.labels)]) + "\n"


def _row(documents: Documents, label: str) -> str:
    told = at(documents, label)
    if not told:
        return f"| {label} | nothing: {UNSERVED[int(label.partition('.')[2])]} | | |"
    cells = [_cell([one for one in told if one.kind is kind]) for kind in Kind]
    return f"| {label} | {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _cell(told: list[Told]) -> str:
    return "<br>".join(dict.fromkeys(one.text.replace("|", "\\|") for one in told))
