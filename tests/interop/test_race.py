"""Processes that race on one database of each kind; `make race` has more of them and all contests."""

import pytest

from needs_postgres import NEEDS_POSTGRES
from tools.race.place import places
from tools.race.run import run

PROCESSES = 4


@pytest.mark.interop
@pytest.mark.parametrize("contest", ["group", "quota", "leases"])
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRES)])
def test_race__of_several_processes__what_must_hold_holds(kind: str, contest: str) -> None:
    with places(kind) as new:
        assert run(contest, next(new), PROCESSES).wrong == ()
