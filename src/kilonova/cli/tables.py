"""Tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows below their heads, columns as wide as what is in them."""
    cells = [[str(row[name]) for name in columns] for row in rows]
    widths = [
        max(len(name), *(len(row[at]) for row in cells)) if cells else len(name) for at, name in enumerate(columns)
    ]
    for line in [[name.upper() for name in columns], *cells]:
        click.echo("  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip())
