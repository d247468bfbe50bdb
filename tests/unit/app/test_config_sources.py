"""Where configuration comes from, and what is said of mistakes in it."""

from pathlib import Path

import pytest

from kilonova.app.config import Config
from kilonova.app.config_sources import BadConfig, keys, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kilonova.toml"


def refused(file: Path | None, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(BadConfig) as caught:
        load(file, environment or {}, {})
    return caught.value.message


def test_load__nothing_given__defaults() -> None:
    assert load(None, {}, {}) == Config()


def test_load__all_sources__flags_win_over_environment_over_file(file: Path) -> None:
    file.write_text('[up]\nhosts = 1\ncells = 1\ndriver = "fake"\n')
    config = load(file, {"KILONOVA_UP_HOSTS": "2", "KILONOVA_UP_CELLS": "2"}, {"up": {"cells": 3, "driver": None}})
    assert (config.up.driver, config.up.hosts, config.up.cells) == ("fake", 2, 3)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True)])
def test_load__boolean_in_the_environment__read(text: str, value: bool) -> None:
    assert load(None, {"KILONOVA_UP_INSECURE": text}, {}).up.insecure is value


def test_load__password_file__read_without_its_line_end(file: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    file.write_text(f'[identity]\npassword_file = "{tmp_path}/password"\n')
    assert load(file, {}, {}).identity.password == "s3cret"


def test_load__password_file_missing__named(file: Path, tmp_path: Path) -> None:
    file.write_text(f'[identity]\npassword_file = "{tmp_path}/none"\n')
    assert refused(file) == f"{tmp_path}/none: [identity] password_file can't be read: No such file or directory."


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[up]\n\nlisen = "a"\n', 3, "there is no key 'lisen' in [up]; did you mean 'listen'?"),
        ("[upp]\nhosts = 1\n", 2, "there is no section [upp]; did you mean 'up'?"),
        ("[zzzzz]\n", 1, "there is no section [zzzzz]; known are api, "),
        ("hosts = 1\n", 1, "'hosts' stands outside of a section"),
        ("[up]\nhosts = = 1\n", 2, "it is not TOML: "),
        ('[up]\nhosts = "many"\n', 2, "[up] hosts: Expected `int | null`, got `str`."),
        ("[log]\nlevel = 'info'\n[up]\nhosts = 10001\n", 4, "[up] hosts: Expected `int` <= 10000."),
        ("[log]\nlevel = 'loud'\n", 2, "[log] level: Invalid enum value 'loud'."),
    ],
)
def test_load__mistake_in_the_file__one_sentence_with_file_and_line(
    file: Path, text: str, line: int, words: str
) -> None:
    file.write_text(text)
    assert refused(file).startswith(f"{file}:{line}: {words}")


def test_load__file_missing__named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == f"{tmp_path}/none: it can't be read: No such file or directory."


def test_load__file_not_utf8__said(file: Path) -> None:
    file.write_bytes(b"[up]\n\xff\n")
    assert refused(file) == f"{file}: it is not UTF-8 text."


def test_load__unknown_variable__nearest_named() -> None:
    said = refused(None, {"KILONOVA_UP_HOST": "1"})
    assert said == "KILONOVA_UP_HOST: no setting has this variable; did you mean 'KILONOVA_UP_HOSTS'?"


def test_load__wrong_variable__named() -> None:
    assert refused(None, {"KILONOVA_UP_HOSTS": "x"}).startswith("KILONOVA_UP_HOSTS: [up] hosts: Expected `int")


def test_keys__every_variable__belongs_to_one_key() -> None:
    names = [f"{section}_{key}" for section, all_keys in keys().items() for key in all_keys]
    assert len(names) == len(set(names))
    assert not any("_" in section for section in keys())


def test_load__list_in_the_environment__split_at_commas() -> None:
    environment = {"KILONOVA_SCHEDULER_ENABLED_FILTERS": "ComputeFilter, IoOpsFilter"}
    assert load(None, environment, {}).scheduler.enabled_filters == ("ComputeFilter", "IoOpsFilter")
