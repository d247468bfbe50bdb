"""The examples' own tests, each in an environment of its own that has what its pyproject asks for."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from client_programs import client_program

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 120


def pytest_run(example: str, scratch: Path, *others: Path) -> str:
    """Run an example's tests in an environment that has Kilonova and pytest, and what `others` have; what pytest said."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", scratch / "venv"], check=True)
    (packages,) = (scratch / "venv").glob("lib/python*/site-packages")
    ours = Path(sysconfig.get_path("purelib"))
    (packages / "given.pth").write_text("".join(f"import site; site.addsitedir({str(p)!r})\n" for p in (ours, *others)))
    line = [scratch / "venv" / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(line, cwd=EXAMPLES / example, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.interop
def test_openstacksdk_tool__its_tests__pass(tmp_path: Path) -> None:
    (clients,) = Path(client_program("python")).parents[1].glob("lib/python*/site-packages")
    assert "4 passed" in pytest_run("openstacksdk-tool", tmp_path, clients)


def test_hypervisor_driver__its_tests__pass(tmp_path: Path) -> None:
    assert re.search(r"[1-9]\d* passed", pytest_run("hypervisor-driver", tmp_path))
