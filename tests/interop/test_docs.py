"""Every `openstack` command of the documentation, in the order in which each page shows them."""

import shlex
import subprocess
from pathlib import Path

import pytest

from client_programs import client_program
from docs.test_commands import PAGES, commands
from tools.up_cloud import UpCloud

pytestmark = pytest.mark.interop
PATIENCE_S = 60
WITH_OPENSTACK = [page for page in PAGES if any(command.startswith("openstack ") for command in commands(page))]


@pytest.mark.parametrize("page", WITH_OPENSTACK, ids=lambda page: page.name)
def test_page__its_openstack_commands_in_order__work(page: Path, tmp_path: Path) -> None:
    program = client_program("openstack")
    with UpCloud(tmp_path / "state") as up:
        for command in commands(page):
            words = shlex.split(command)
            if words[0] == "openstack":
                done = subprocess.run(
                    [program, *words[1:]],
                    env=up.environ(),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=PATIENCE_S,
                )
                assert done.returncode == 0, f"{command}: {done.stderr}"
