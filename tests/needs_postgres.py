"""The mark of tests that need a PostgreSQL server on this machine."""

import pytest

from tools.postgres_server import PROGRAMS

NEEDS_POSTGRES = pytest.mark.skipif(not PROGRAMS, reason="no PostgreSQL server is installed (Debian: postgresql)")
