"""The rig that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.compute_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as rig:
        yield rig
