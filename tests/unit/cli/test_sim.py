"""`kilonova sim`: seeds run, a seed replayed, scenarios listed."""

import json

import pytest
from click.testing import CliRunner, Result

from kilonova.cli.main import main


def _sim(*words: str) -> Result:
    return CliRunner().invoke(main, ["sim", *words])


def test_run__two_seeds__nothing_violated_and_exit_0():
    done = _sim("run", "--seeds", "0..1", "--scenario", "quiet")
    assert done.exit_code == 0
    assert done.output.startswith("2 seeds, ")
    assert done.output.endswith("nothing was violated\n")


def test_run__as_json__one_object_with_everything():
    done = _sim("run", "--seeds", "1", "--scenario", "quiet", "--json")
    summary = json.loads(done.output)
    assert (summary["seeds"], summary["faults"], summary["violations"]) == (1, 0, {})
    assert summary["events"] > 1000
    assert set(summary["trace_hash"]) == {"1"}
    assert {"sometimes", "cpu_s", "scenario"} <= set(summary)


def test_replay__says_what_happened_and_the_same_trace_as_run():
    ran = json.loads(_sim("run", "--seeds", "2", "--scenario", "quiet", "--json").output)
    lines = _sim("replay", "2", "--scenario", "quiet").output.splitlines()
    assert lines[0] == "0.000000 start api 1"
    assert any(" runs " in line for line in lines)
    assert lines[-1] == f"trace {ran['trace_hash']['2']}"


@pytest.mark.parametrize(
    "words", [("run", "--seeds", "9..3"), ("run", "--seeds", "many"), ("run", "--scenario", "none")]
)
def test_words_that_make_no_sense__exit_2(words: tuple[str, ...]):
    assert _sim(*words).exit_code == 2


def test_scenarios__each_with_a_line():
    assert "boot-delete" in _sim("scenarios").output
    assert set(json.loads(_sim("scenarios", "--json").output)) >= {"storm", "boot-delete", "quiet"}
