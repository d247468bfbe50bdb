"""Seeds that once showed a bug, and what it was. A change of the workload gives a seed another meaning; it stays as a seed."""

import pytest

from kilonova.simulation.run import run_seed

ONCE_WRONG = (
    ("silent-bus", 187, "a list missed a server that was being handed over to its cell"),
    ("cells", 368, "after an action that failed, what the hypervisor showed was ignored for ever"),
    ("freezes", 287, "a boot request that ran in a frozen API came after its server's delete"),
    ("freezes", 8, "a list showed a server that was deleted before it had a cell, and handed over to one all the same"),
    ("storm", 43, "a guest that had ended before an operation reported it left its server ACTIVE for ever"),
    ("storm", 157, "a boot whose claim had no answer, and that found no host when it asked again, kept the claim"),
    ("moves", 12, "the auditor took away what a delete had inherited from a migration"),
    ("takeovers", 100085, "a resize whose guest had gone tried for hours to start it again"),
    ("devices", 100150, "a server whose boot from a volume was reset held what one with a disk holds"),
    ("volumes", 100109, "a reset kept a volume that was reserved only, and showed it as the server's"),
    ("volumes", 100235, "a guest whose making was reset could be started with half a disk"),
    ("storm", 0, "the secrets of a boot that found no host were kept"),
)


@pytest.mark.parametrize(("scenario", "seed", "_bug"), ONCE_WRONG, ids=lambda value: str(value)[:12])
def test_seed__that_once_showed_a_bug__shows_none(scenario: str, seed: int, _bug: str) -> None:
    assert run_seed(seed, scenario).violations == ()
