"""Which hypervisor a cloud has."""

from pathlib import Path

import pytest

from kilonova.app.config import Up
from kilonova.app.hypervisor import Shape, StateMismatch, shape
from kilonova.app.state import State, open_state
from kilonova.runtime.real import RealRuntime


@pytest.fixture
def state(tmp_path: Path) -> State:
    opened = open_state(tmp_path, RealRuntime())
    opened.close()
    return opened


def test_shape__fresh_and_asked_for__as_asked(state: State) -> None:
    assert shape(Up(driver="fake", hosts=0, cells=2), state) == Shape("fake", 0, 2)


def test_shape__fresh_without_qemu__fake_and_said(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(state.path))
    made = shape(Up(), state)
    assert (made.driver, made.hosts, made.cells) == ("fake", 1, 1)
    assert "QEMU is not installed" in made.notices[0]


def test_shape__made_before__as_before(state: State) -> None:
    state.remember(driver="fake", hosts=7, cells=2)
    assert shape(Up(), state) == Shape("fake", 7, 2)
    assert shape(Up(driver="fake", hosts=3, cells=3), state) == Shape("fake", 3, 3)


@pytest.mark.parametrize(("up", "words"), [(Up(driver="qemu"), "--driver fake"), (Up(cells=1), "--cells 2")])
def test_shape__other_than_before__refused(state: State, up: Up, words: str) -> None:
    state.remember(driver="fake", hosts=7, cells=2)
    with pytest.raises(StateMismatch, match=f"made with {words}"):
        shape(up, state)
