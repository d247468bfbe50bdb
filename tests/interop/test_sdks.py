"""The whole cloud, driven by openstacksdk and python-novaclient, each in its own interpreter."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_programs import client_program
from tools.up_cloud import UpCloud

pytestmark = pytest.mark.interop
PROGRAMS = Path(__file__).with_name("programs")
PATIENCE_S = 300


def scenarios(program: str) -> list[str]:
    tree = ast.parse((PROGRAMS / program).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpCloud]:
    with UpCloud(tmp_path_factory.mktemp("up") / "state", "--hosts", 3) as cloud:
        yield cloud


def play(up: UpCloud, program: str, scenario: str) -> None:
    line = [client_program("python"), str(PROGRAMS / program), scenario]
    done = subprocess.run(line, env=up.environ(), capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenario", scenarios("sdk_tour.py"))
def test_openstacksdk(up: UpCloud, scenario: str) -> None:
    play(up, "sdk_tour.py", scenario)


@pytest.mark.parametrize("scenario", scenarios("novaclient_tour.py"))
def test_novaclient(up: UpCloud, scenario: str) -> None:
    play(up, "novaclient_tour.py", scenario)
