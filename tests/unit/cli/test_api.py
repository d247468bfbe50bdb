"""`kilonova api`: documents and changes without a cloud."""

import json

from click.testing import CliRunner

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.main import main


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["api", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_openapi__one_microversion__its_document() -> None:
    assert json.loads(run("openapi", "--version", "2.53"))["info"]["version"] == "2.53"
    assert json.loads(run("openapi"))["info"]["version"] == "2.104"


def test_openapi__unknown_microversion__says_which_there_are() -> None:
    assert "2.1 to 2.104" in run("openapi", "--version", "3.0", code=ExitCode.NOT_THERE)


def test_changes__in_words__grouped() -> None:
    told = run("changes", "--from", "2.87", "--to", "2.88")
    assert told.index("What bodies and queries hold:") < told.index("Which routes there are:")
    assert "  2.88   GET /os-hypervisors/statistics is gone." in told.splitlines()


def test_changes__json__each_with_its_kind() -> None:
    told = json.loads(run("changes", "--from", "2.64", "--to", "2.65", "--json"))
    assert told == [
        {
            "version": "2.65",
            "kind": "behaviour",
            "about": "server_migration",
            "name": "migration-abort-early",
            "text": "A live migration may be aborted before it runs.",
        }
    ]


def test_changes__newest_first__usage_error() -> None:
    assert "say the older microversion first" in run("changes", "--from", "2.65", "--to", "2.64", code=ExitCode.USAGE)
