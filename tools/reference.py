"""`python -m tools.reference`: write the parts of the documentation that are made from the program."""

from pathlib import Path

from kilonova.app import config_text
from kilonova.cli.exit_codes import MEANINGS
from kilonova.simulation.mutants.table import MUTANTS
from tools import microversion_reference, notification_reference, operation_reference, scenario_reference

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARK = "-->\n\n"
"""Ends the comment after which a page is made."""


def pages() -> dict[Path, str]:
    """What each page has to say below its mark."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in MEANINGS.items())
    mutants = "\n".join(f"| `{mutant.name}` | {mutant.breaks} |" for mutant in MUTANTS.values())
    return {
        DOCS / "reference" / "mutants.md": f"| mutant | what it breaks |\n|---|---|\n{mutants}\n",
        DOCS / "reference" / "scenarios.md": scenario_reference.page(),
        DOCS / "reference" / "operations.md": operation_reference.page(),
        DOCS / "reference" / "notifications.md": notification_reference.page(),
        DOCS / "reference" / "microversions.md": microversion_reference.page(),
        DOCS / "operate" / "configuration.md": config_text.markdown(),
        DOCS / "operate" / "errors.md": f"| code | meaning |\n|---|---|\n{codes}\n",
    }


def written(page: Path, content: str) -> str:
    """The whole page with `content` below its mark."""
    return page.read_text().partition(MARK)[0] + MARK + content


def main() -> None:
    """Write every page."""
    for page, content in pages().items():
        page.write_text(written(page, content))


if __name__ == "__main__":
    main()
