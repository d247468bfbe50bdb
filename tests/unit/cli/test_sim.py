"""`kilonova sim`: seeds run, a seed replayed, scenarios listed."""

import json
import re

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
    assert (summary["seeds"], summary["faults"], summary["violations"]) == (1, 0, 0)
    assert summary["events"] > 1000
    assert summary["trace_hashes"] == {"1": summary["trace_hash"]}
    assert {"sometimes", "cpu_s", "scenario"} <= set(summary)


def test_replay__says_what_happened_and_the_same_trace_as_run():
    ran = json.loads(_sim("run", "--seeds", "2", "--scenario", "quiet", "--json").output)
    lines = _sim("replay", "2", "--scenario", "quiet").output.splitlines()
    assert lines[0] == "0.000000 start api 1"
    assert any(" runs " in line for line in lines)
    assert lines[-1] == f"trace {ran['trace_hash']}"


def test_run__a_broken_design__exit_1_and_the_seeds_named():
    done = _sim("run", "--seeds", "0..1", "--scenario", "boot-delete", "--mutant", "nothing-released")
    assert done.exit_code == 1
    assert "seed 0, boot-delete: " in done.output
    assert "violated by 2: 0, 1" in done.output


def test_replay__violated__shows_where_a_seed_that_passes_goes_another_way():
    done = _sim("replay", "13", "--scenario", "short", "--mutant", "lease-for-ever")
    assert done.exit_code == 1, "a kill while something was leased"
    assert " which passes, go different ways:" in done.output


def test_shrink__violated__leaves_what_matters_and_the_command_to_replay_it():
    done = _sim("shrink", "13", "--scenario", "short", "--mutant", "lease-for-ever", "--runs", "60")
    assert done.exit_code == 1
    assert re.search(r"left are [1-4] faults: ", done.output)
    replayed = _sim(*done.output.splitlines()[-1].split()[2:])
    assert replayed.exit_code == 1


def test_shrink__nothing_violated__nothing_to_do():
    done = _sim("shrink", "1", "--scenario", "quiet")
    assert (done.exit_code, "nothing to shrink" in done.output) == (0, True)


def test_sweep__a_role__every_step_and_nothing_violated():
    done = _sim("sweep", "stop", "--role", "api", "--stride", "4", "--json")
    swept = json.loads(done.output)
    assert (done.exit_code, swept["violations"]) == (0, 0)
    assert swept["runs"]["api"] > 1


def test_mutants__one__is_killed_and_says_after_how_many_seeds():
    done = _sim("mutants", "nothing-released", "--jobs", "1", "--json")
    (mutant,) = json.loads(done.output)["mutants"]
    assert done.exit_code == 0
    assert (mutant["name"], mutant["killed"], mutant["seeds_to_kill"]) == ("nothing-released", True, 1)
    assert mutant["breaks"]


@pytest.mark.parametrize(
    "words", [("run", "--seeds", "9..3"), ("run", "--seeds", "many"), ("run", "--scenario", "none"), ("sweep", "dance")]
)
def test_words_that_make_no_sense__exit_2(words: tuple[str, ...]):
    assert _sim(*words).exit_code == 2


def test_run__a_case__is_met_and_as_many_seeds_as_it_takes():
    summary = json.loads(_sim("run", "--scenario", "C4", "--json").output)
    assert (summary["seeds"], summary["sometimes"]["C4"], summary["violations"]) == (20, 20, 0)


def test_replay__a_case__named_before_its_seed():
    ran = json.loads(_sim("run", "--seeds", "2", "--scenario", "C4", "--json").output)
    for words in (("C4", "2"), ("2", "--scenario", "C4")):
        assert _sim("replay", *words).output.splitlines()[-1] == f"trace {ran['trace_hash']}"
    assert "nothing to shrink" in _sim("shrink", "C4", "2").output


@pytest.mark.parametrize("words", [("run", "--scenario", "c4"), ("replay", "C44", "1"), ("shrink", "C4C", "1")])
def test_scenario__unknown__exit_2_and_the_nearest(words: tuple[str, ...]):
    done = _sim(*words)
    assert done.exit_code == 2
    assert re.search(r"there is no scenario '.*'; the nearest are .*C4", done.output)


@pytest.mark.parametrize("words", [("C4",), ("C4", "1", "2"), ("C4", "1", "--scenario", "C4"), ("-1",)])
def test_replay__words_that_make_no_sense__exit_2(words: tuple[str, ...]):
    assert _sim("replay", *words).exit_code == 2


def test_scenarios__each_with_a_line():
    assert "boot-delete" in _sim("scenarios").output
    listed = json.loads(_sim("scenarios", "--json").output)
    assert set(listed) >= {"storm", "boot-delete", "quiet", "C4"}
    assert {"about", "bugs", "given", "when", "then"} <= set(listed["C4"])
