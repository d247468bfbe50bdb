"""Fixtures that every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import TestCloud
from tools.postgres_server import server


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[TestCloud]:
    """A cloud of one fake host for this test alone."""
    with TestCloud(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCloud]:
    """A cloud of three fake hosts for a module's tests, which leave nothing behind that disturbs the next."""
    with TestCloud(tmp_path_factory.mktemp("cloud"), hosts=3) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this session's own; what uses it has the mark NEEDS_POSTGRES."""
    with server("fsync=off") as url:
        yield url
