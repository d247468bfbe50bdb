"""The plugin as others meet it: installed, loaded by every run of pytest, quiet until it is used."""

import subprocess
import sys
from pathlib import Path

PATIENCE_S = 60
HEAVY = ("sqlalchemy", "starlette", "uvicorn", "httpx", "msgspec", "asyncio")


def pytest_run(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_theirs.py").write_text(test)
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options, "test_theirs.py"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_plugin__no_fixture_used__imports_nothing_heavy() -> None:
    code = f"import sys, pytest; old = set(sys.modules); import kilonova.testing.plugin; \
print(sorted({{name.partition('.')[0] for name in set(sys.modules) - old}} & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert done.stdout == "[]\n"


def test_cloud__in_a_project_of_others__shared_and_own(tmp_path: Path) -> None:
    test = """
import pytest

seen = []

@pytest.mark.parametrize("time", [1, 2])
def test_shared(kilonova_shared_cloud, time):
    seen.append(kilonova_shared_cloud.url)
    assert len(set(seen)) == 1

@pytest.fixture(scope="module")
def large(kilonova_cloud_factory):
    with kilonova_cloud_factory(hosts=20) as cloud:
        yield cloud

def test_apart(large, kilonova_cloud, kilonova_shared_cloud):
    assert len({large.url, kilonova_cloud.url, kilonova_shared_cloud.url}) == 3
"""
    done = pytest_run(tmp_path, test, "--strict-markers")
    assert "3 passed" in done.stdout, done.stdout


def test_world__fails_under_one_of_its_seeds__the_report_says_how_to_replay_it(tmp_path: Path) -> None:
    test = """
def test_luck(kilonova_world, kilonova_seed):
    kilonova_world.wait_until_active(kilonova_world.boot())
    assert kilonova_seed != 3
"""
    done = pytest_run(tmp_path, test, "--kilonova-seeds", "1..4")
    assert "1 failed, 3 passed" in done.stdout, done.stdout
    assert "Replay it with: pytest 'test_theirs.py::test_luck[seed3]' --kilonova-seeds 3" in done.stdout
    assert "start cell1-agent-1" in done.stdout
    again = pytest_run(tmp_path, test, "--kilonova-seeds", "3", "-k", "seed3")
    assert "1 failed" in again.stdout


def test_world__leaves_a_leak_behind__is_told_after_the_test(tmp_path: Path) -> None:
    test = """
import pytest

@pytest.mark.parametrize("kilonova_seed", [7])
def test_leak(kilonova_world, kilonova_seed):
    kilonova_world.wait_until_active(kilonova_world.boot())
    kilonova_world.finish = lambda: pytest.fail("it leaks")
"""
    done = pytest_run(tmp_path, test)
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "kilonova_world, seed 7" in done.stdout


def test_seeds__unreadable__says_what_to_write(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "def test_it(kilonova_seed): ...", "--kilonova-seeds", "9..1")
    assert "write a number, or a range" in done.stdout + done.stderr
