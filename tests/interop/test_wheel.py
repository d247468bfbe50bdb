"""The wheel, installed like any program from an index: it brings the same `kilonova`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kilonova

pytestmark = pytest.mark.interop
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300


def run(*words: object) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel__in_an_environment_of_its_own__starts_a_cloud(tmp_path: Path) -> None:
    quiet = ["-qq", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "wheel", *quiet, "--no-build-isolation", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("kilonova-*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", *quiet, "--require-hashes", "-r", ROOT / "requirements" / "run.txt")
    run(python, "-m", "pip", "install", *quiet, "--no-deps", wheel)
    program = tmp_path / "venv" / "bin" / "kilonova"
    assert run(program, "version") == f"{kilonova.__version__}\n"
    line = [program, "up", "--state", tmp_path / "state", "--listen", "127.0.0.1:0", "--driver", "fake"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KILONOVA_")}
    with subprocess.Popen(line, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True) as cloud:
        assert cloud.stdout is not None
        assert cloud.stdout.readline().startswith("ready ")
        cloud.terminate()
