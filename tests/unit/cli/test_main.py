"""The command line's surface."""

import pytest
from click.testing import CliRunner

import kilonova
from kilonova.cli.exit_codes import MEANINGS, ExitCode
from kilonova.cli.main import COMMANDS, main


def test_help__lists_every_command() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(name in output and text in output for name, text in COMMANDS.items())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_of_a_command__says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: main {name}" in result.output


def test_unknown_command__usage_error() -> None:
    assert CliRunner().invoke(main, ["fly"]).exit_code == ExitCode.USAGE


def test_version__printed() -> None:
    assert CliRunner().invoke(main, ["version"]).output == f"{kilonova.__version__}\n"
    assert CliRunner().invoke(main, ["--version"]).output == f"{kilonova.__version__}\n"


def test_exit_codes__every_one_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)
