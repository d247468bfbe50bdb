"""Fixtures of the tests about servers: each module has a cloud of its own."""

import pytest

from api.server_stage import Stage
from cloud import TestCloud


@pytest.fixture(scope="module")
def stage(shared_cloud: TestCloud) -> Stage:
    """A running cloud with a flavor, an image and a network."""
    return Stage(shared_cloud)
