"""House rules of the repository: nothing of anybody's machine, nothing broken, every dependency with its reason."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from project import ROOT, files, shown

TEXT = {"", ".cfg", ".in", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
OURS = Path(__file__).name
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w")
REGISTRIES = re.compile(
    r"(?:pypi|pythonhosted|files\.python|deb\.debian|archive\.ubuntu|conda|ghcr|quay|docker)\.(?:org|io|com)"
)
LOCKS = sorted([*(ROOT / "requirements").glob("*.txt"), ROOT / "tools" / "interop" / "requirements.txt"])
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


def lines(pattern: re.Pattern[str]) -> Iterator[str]:
    for path in files():
        if path.suffix in TEXT and path.name != OURS:
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if pattern.search(line):
                    yield f"{shown(path)}:{number}: {line.strip()[:120]}"


def test_files__none__names_a_path_of_somebodys_machine() -> None:
    assert not list(lines(MACHINE_PATHS))


def test_files__none__names_a_package_registry() -> None:
    assert not list(lines(REGISTRIES))


def test_lock_files__every_line__a_version_with_hashes_and_nothing_else() -> None:
    known = re.compile(
        r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==\S+( ; .+?)?( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    assert LOCKS
    for lock in LOCKS:
        for number, line in enumerate(lock.read_text().splitlines(), 1):
            assert known.fullmatch(line) or re.match(r"\s*#", line), f"{shown(lock)}:{number}: {line}"


def test_locks__what_pyproject_asks_for__is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    asked = {*project["project"]["dependencies"], *project["dependency-groups"]["dev"]}
    assert {_normal(name) for name in asked} <= {_normal(name) for name in locked}


def test_dependencies__every_one__has_its_reason_in_the_table() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    told = {_normal(name) for name in re.findall(r"^\| ([a-z][a-z0-9._-]*) \|", page, re.MULTILINE)} - {"package"}
    assert told == {_normal(name) for name in project["project"]["dependencies"]}
    assert not [name for name in project["dependency-groups"]["dev"] if _bare(name) not in page]


def test_links__in_every_page__lead_somewhere() -> None:
    broken = []
    for page in files(".md"):
        for target in LINK.findall(page.read_text()):
            path = target.partition("#")[0]
            if "://" not in target and path and not (page.parent / path).exists():
                broken.append(f"{shown(page)}: {target}")
    assert not broken


def test_news__every_fragment__one_plain_sentence_of_a_known_kind() -> None:
    for path in (ROOT / "news").glob("*"):
        assert re.fullmatch(r"\+?[a-z0-9-]+\.(added|changed|fixed)\.md|\.gitignore", path.name), path.name
        assert path.name == ".gitignore" or path.read_text().strip().endswith(".")


def _bare(requirement: str) -> str:
    return re.split(r"[\[<>=~! ;]", requirement)[0]


def _normal(requirement: str) -> str:
    return re.sub(r"[._-]+", "-", _bare(requirement)).lower()
