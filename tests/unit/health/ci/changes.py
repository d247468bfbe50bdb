"""Changes made of facts, for the tests of what judges them."""

from kilonova.health.ci.facts import ChangeSeen, Closed, Commented, Ended, PatchSetSeen, Said, fact
from kilonova.health.ci.history import Change, change_of
from kilonova.health.ci.registry import Registry, registry_read
from unit.health.ci.documents import HOST, REGISTRY, T0

FILES = ("driver/acme/disk.py",)


def registry() -> Registry:
    found, problems = registry_read(REGISTRY)
    assert not problems
    return found


def comment(result: str, patchset: int = 1, account: str = "acme-ci") -> Commented:
    return Commented(account, f"- acme-tempest https://logs.example/1 : {result} in 5m 00s", patchset)


def change(
    *said: tuple[float, Said], number: int = 1, files: tuple[str, ...] | None = FILES, message: str = "", at: float = T0
) -> Change:
    """A change that is uploaded at `at`; what is said of it comes some seconds after."""
    subject = f"{HOST}/{number}"
    seen = ChangeSeen("demo/compute", "master", f"Change {number}", owner=f"author{number}", message=message)
    patchset = PatchSetSeen(revision=f"{number:040x}", number=1, kind="REWORK", files=files, uploader="author")
    told = [(0.0, seen), (0.0, patchset), *said]
    found = change_of(subject, [fact(subject, at + after, one) for after, one in told])
    assert found is not None
    return found


def patchset(
    number: int, kind: str = "REWORK", files: tuple[str, ...] | None = FILES, uploader: str = "author"
) -> Said:
    return PatchSetSeen(revision=f"p{number}", number=number, kind=kind, files=files, uploader=uploader)


def merged(patchset: int = 1) -> Said:
    return Closed(Ended.MERGED, patchset)
