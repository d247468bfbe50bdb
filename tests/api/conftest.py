"""Fixtures of the suites over the whole cloud."""

from collections.abc import Iterator

import pytest

from api.hostile import Hostile
from api.hostile_corpus import furnish
from cloud import TestCloud

PLENTY = {name: -1 for name in ("instances", "cores", "ram", "server_groups", "key_pairs")}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A cloud with one of everything in it, for a module's hostile requests."""
    with TestCloud(tmp_path_factory.mktemp("hostile"), hosts=2, tables={"quota": PLENTY}) as cloud:
        made = Hostile(cloud)
        furnish(made)
        yield made
