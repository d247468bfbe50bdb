"""Every command that the documentation shows is run: here, by the demo or by the interop suite."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BIN = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PATIENCE_S = 300
STAYS = {"up", "serve"}
"""Run in the foreground until they are stopped."""


def commands(page: Path) -> list[str]:
    """What the page's console blocks show behind `$`."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


SHOWN = [(page.relative_to(ROOT), command) for page in PAGES for command in commands(page)]
OF_KILONOVA = sorted({command for _, command in SHOWN if re.search(r"\bkilonova\b", command)})


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=str)
def test_command__shown_in_a_page__has_a_test_that_runs_it(page: Path, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert words[1] in TARGETS
    else:
        assert command in OF_KILONOVA or words[0] == "openstack", f"nothing runs `{command}`"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A person's environment: an empty home, and the documentation's `.venv/bin/kilonova` on the path."""
    settings = {"KILONOVA_UP_DRIVER": "fake", "KILONOVA_UP_LISTEN": "127.0.0.1:0"}
    return {"HOME": str(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}", **settings}


def test_commands_of_kilonova__as_shown__work(shell: dict[str, str]) -> None:
    with subprocess.Popen(["kilonova", "up"], env=shell, stdout=subprocess.PIPE, text=True) as cloud:
        try:
            assert cloud.stdout is not None
            assert cloud.stdout.readline().startswith("ready ")
            for command in sorted(OF_KILONOVA, key=lambda command: "stop" in command):
                words = command.replace(".venv/bin/", "").split()
                if STAYS.intersection(words[1:3]):
                    continue
                done = _run(["bash", "-c", command.replace(".venv/bin/", "")], shell)
                assert done.returncode == 0, f"{command}: {done.stderr}"
        finally:
            cloud.kill()


@pytest.mark.parametrize("command", [command for command in OF_KILONOVA if command.split()[1] in STAYS])
def test_up__as_shown__becomes_ready(shell: dict[str, str], command: str) -> None:
    words = command.replace(".venv/bin/", "").split()
    with subprocess.Popen(words, env=shell, stdout=subprocess.PIPE, text=True) as cloud:
        try:
            assert cloud.stdout is not None
            assert cloud.stdout.readline().startswith("ready")
        finally:
            cloud.terminate()
            assert cloud.wait(PATIENCE_S) == 0


def _run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
