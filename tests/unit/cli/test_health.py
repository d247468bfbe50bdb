"""`kilonova health serve`: answers on this machine, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

WORDS = [sys.executable, "-m", "kilonova.cli", "health", "serve", "--state"]


def test_serve__on_loopback__shows_the_grid_and_ends_well(tmp_path: Path) -> None:
    words = [*WORDS, str(tmp_path / "state"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        words, env={**os.environ, "HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            url = served.stdout.readline().removeprefix("ready ").strip()
            answer = httpx.get(f"{url}/health/ci", trust_env=False, timeout=60)
            assert (answer.status_code, "Third-party CI" in answer.text) == (200, True)
        finally:
            served.terminate()
            assert served.wait(60) == 0


def test_serve__on_an_address_that_others_reach__is_refused(tmp_path: Path) -> None:
    words = [*WORDS, str(tmp_path / "state"), "--listen", "0.0.0.0:0"]
    done = subprocess.run(words, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 10, done.stderr


def test_up__public_read__shows_the_same_site(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "kilonova.cli", "up", "--driver", "fake", "--listen", "127.0.0.1:0"]
    settings = {"HOME": str(tmp_path), "KILONOVA_HEALTH_PUBLIC_READ": "true"}
    with subprocess.Popen(words, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            url = served.stdout.readline().removeprefix("ready ").strip()
            answer = httpx.get(f"{url}/health", trust_env=False, timeout=60)
            assert (answer.status_code, "Project health" in answer.text) == (200, True)
        finally:
            served.terminate()
            assert served.wait(60) == 0
