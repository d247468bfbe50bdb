"""Clouds of a test session: made on demand, each in a directory of its own, all closed in the end."""

from contextlib import ExitStack

import pytest

from kilonova.testing.thread_cloud import Tables, ThreadCloud


class Clouds:
    """Makes clouds that run."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        """Keep state directories in `folders`, while the clouds run."""
        self._folders = folders
        self._running = ExitStack()

    def __call__(self, *, hosts: int = 1, cells: int = 1, config: Tables | None = None) -> ThreadCloud:
        """Start a cloud; arguments as for `ThreadCloud`. It runs until its `close`, or until all are closed."""
        cloud = ThreadCloud(self._folders.mktemp("kilonova") / "state", hosts=hosts, cells=cells, config=config)
        return self._running.enter_context(cloud)

    def close(self) -> None:
        """Close those that still run."""
        self._running.close()
