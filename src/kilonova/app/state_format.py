"""The format of a state directory: one number, and what brings each older one to the next.

A released format never changes. Whoever is the first after a release to change the layout or a table raises `FORMAT` and adds
an upgrade to `state_upgrades.py`; how to is in `docs/how-to/change-a-shape.md`. Before the first upgrade, what the upgrades may
touch is copied to `backup-format-N-TIME`.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy.exc import DBAPIError

from kilonova.app.state_errors import StateTooNew, StateUnusable
from kilonova.runtime.runtime import Runtime

FORMAT = 2
"""The format that this version writes."""

Upgrade = Callable[[Path], None]
"""Brings a directory from one format to the next. It may be killed at any point and is then run again from the start."""

BACKED_UP = ("state.json", "clouds.yaml", "secrets", "databases")


class _Format(msgspec.Struct):
    """The one key of `state.json` that every format has."""

    format: int


def upgraded(path: Path, runtime: Runtime, upgrades: Mapping[int, Upgrade] | None = None) -> tuple[str, ...]:
    """Bring the directory at `path` to the newest format; what was done, a sentence, or nothing.

    Raises:
        StateTooNew: it has a format that this version doesn't know.
        StateUnusable: its format can't be read or is too old to be upgraded, or a database can't be changed.
    """
    found = _read(path)
    if upgrades is None and found == FORMAT:
        return ()
    steps = _own_upgrades() if upgrades is None else upgrades
    newest = max((FORMAT, *(begin + 1 for begin in steps)))
    if found > newest:
        raise StateTooNew(path=path, found=found, known=newest)
    if found == newest:
        return ()
    missing = [begin for begin in range(found, newest) if begin not in steps]
    if missing:
        raise StateUnusable(path=path, reason=f"its format {found} is too old; use the version that wrote it")
    backup = _back_up(path, found, runtime)
    for begin in range(found, newest):
        try:
            steps[begin](path)
        except DBAPIError as error:
            raise StateUnusable(path=path, reason=f"its upgrade to format {begin + 1} failed: {error.orig}") from error
        _write(path, begin + 1)
    return (f"The state directory was upgraded from format {found} to {newest}; what it was is kept in {backup}.",)


def _own_upgrades() -> Mapping[int, Upgrade]:
    from kilonova.app.state_upgrades import UPGRADES  # noqa: PLC0415 - loads every table; most starts upgrade nothing

    return UPGRADES


def _read(path: Path) -> int:
    try:
        return msgspec.json.decode((path / "state.json").read_bytes(), type=_Format).format
    except msgspec.DecodeError as error:
        raise StateUnusable(path=path, reason=f"its state.json can't be read: {error}") from error


def _write(path: Path, number: int) -> None:
    file = path / "state.json"
    document = msgspec.json.decode(file.read_bytes())
    new = file.with_name(".state.json.new")
    new.write_bytes(msgspec.json.encode(document | {"format": number}))
    new.replace(file)


def _back_up(path: Path, found: int, runtime: Runtime) -> Path:
    backup = path / f"backup-format-{found}-{int(runtime.now())}"
    backup.mkdir(mode=0o700)
    for name in BACKED_UP:
        source = path / name
        if source.is_dir():
            shutil.copytree(source, backup / name)
        elif source.exists():
            shutil.copy2(source, backup / name)
    return backup
