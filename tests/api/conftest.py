"""Fixtures of the suites over the whole cloud."""

from collections.abc import Iterator

import pytest

from api.hostile import Hostile
from api.hostile_corpus import furnished


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A cloud with one of everything in it, for a module's hostile requests."""
    with furnished(tmp_path_factory.mktemp("hostile")) as made:
        yield made
