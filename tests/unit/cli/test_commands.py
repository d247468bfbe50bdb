"""Commands against a state directory, with no cloud running."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kilonova.app.state import open_state
from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.main import main
from kilonova.runtime.real import RealRuntime


def kilonova(*words: object, **options: str) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False, **options)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    made = open_state(path, RealRuntime())
    made.remember(driver="fake", hosts=1, cells=1)
    made.close()
    return path


def test_env__state_there__exports_for_a_shell(state: Path) -> None:
    assert kilonova("env", "--state", state).output == (
        f"export OS_CLIENT_CONFIG_FILE={state}/clouds.yaml\nexport OS_CLOUD=kilonova\n"
    )


def test_env__json_and_admin__for_programs(state: Path) -> None:
    document = json.loads(kilonova("env", "--state", state, "--cloud", "kilonova-admin", "--json").output)
    assert document == {"OS_CLIENT_CONFIG_FILE": f"{state}/clouds.yaml", "OS_CLOUD": "kilonova-admin"}


def test_env__no_state__says_what_makes_it(tmp_path: Path) -> None:
    result = kilonova("env", "--state", tmp_path / "none")
    assert result.exit_code == ExitCode.STATE_UNUSABLE
    assert "`kilonova up` makes it" in result.output


@pytest.mark.parametrize("words", [["status"], ["stop"], ["ssh", "demo"]])
def test_command_that_needs_a_cloud__none_runs__code_12(state: Path, words: list[str]) -> None:
    result = kilonova(words[0], "--state", state, *words[1:])
    assert result.exit_code == ExitCode.NOT_RUNNING
    assert result.output == f"kilonova: No cloud runs on {state}; `kilonova up` starts one.\n"


def test_reset__confirmed__removes_the_directory(state: Path) -> None:
    assert kilonova("reset", "--state", state, input="y\n").exit_code == 0
    assert not state.exists()


def test_reset__not_confirmed__keeps_it(state: Path) -> None:
    assert kilonova("reset", "--state", state, input="n\n").exit_code == ExitCode.FAILURE
    assert state.exists()


def test_reset__not_a_state_directory__refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    assert kilonova("reset", "--state", tmp_path, "--yes").exit_code == ExitCode.STATE_UNUSABLE
    assert (tmp_path / "thesis.txt").exists()


def test_reset__in_use__refused(state: Path) -> None:
    held = open_state(state, RealRuntime())
    assert kilonova("reset", "--state", state, "--yes").exit_code == ExitCode.STATE_IN_USE
    held.close()


def test_config_show__file_given__shown_with_secrets_masked(tmp_path: Path) -> None:
    file = tmp_path / "kilonova.toml"
    file.write_text('[identity]\npassword = "s3cret"\n[api]\nmax_limit = 7\n')
    output = kilonova("config", "show", "--config", file).output
    assert "max_limit = 7" in output
    assert "s3cret" not in output
    assert json.loads(kilonova("config", "show", "--config", file, "--json").output)["api"]["max_limit"] == 7


def test_config_show__unknown_key__code_4(tmp_path: Path) -> None:
    file = tmp_path / "kilonova.toml"
    file.write_text("[api]\nmax_limits = 7\n")
    result = kilonova("config", "show", "--config", file)
    assert result.exit_code == ExitCode.CONFIGURATION
    assert result.output == f"kilonova: {file}:2: there is no key 'max_limits' in [api]; did you mean 'max_limit'?\n"
