"""Where the real clients are."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def client_program(name: str) -> str:
    """A program of the clients' environment (KILONOVA_TEST_CLIENTS), or of the demo's; skips without."""
    for folder in (os.environ.get("KILONOVA_TEST_CLIENTS"), ROOT / ".cache" / "clients" / "bin"):
        found = shutil.which(name, path=folder) if folder else None
        if found is not None:
            return found
    pytest.skip(f"no {name}: KILONOVA_TEST_CLIENTS names no folder with one; make interop does")
