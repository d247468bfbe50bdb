"""The project's own files, for the tests of its style."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".venv", ".git", ".cache", "build", "dist"}


def files(*endings: str) -> Iterator[Path]:
    """Every file that is, or would be, kept in the repository, with one of `endings`; all without."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else _walked()
    for name in sorted(names):
        path = ROOT / name
        if path.is_file() and (not endings or path.suffix in endings):
            yield path


def shown(path: Path) -> str:
    """A path as messages show it."""
    return str(path.relative_to(ROOT))


def _walked() -> list[str]:
    found = []
    for path in ROOT.rglob("*"):
        name = path.relative_to(ROOT)
        if (
            path.is_file()
            and not NOT_OURS.intersection(name.parts)
            and not any("_cache" in part for part in name.parts)
        ):
            found.append(str(name))
    return found
