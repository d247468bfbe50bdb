"""Which hypervisor a cloud has."""

from pathlib import Path

import pytest

from kilonova.app.config import Up
from kilonova.app.hypervisor import Shape, StateMismatch, TooManyHosts, TooManyProcesses, hosts_apart, shape
from kilonova.app.state import State, open_state
from kilonova.drivers.qemu.resources import vcpus
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


def test_shape__more_qemu_hosts_than_processors__refused(state: State) -> None:
    with pytest.raises(TooManyHosts, match=f"{vcpus()} processors"):
        shape(Up(driver="qemu", hosts=vcpus() + 1), state)


def test_shape__qemu_hosts_made_before__stay_as_many(state: State) -> None:
    state.remember(driver="qemu", hosts=1, cells=1)
    assert not shape(Up(), state).apart
    with pytest.raises(StateMismatch, match="made with --hosts 1"):
        shape(Up(hosts=2), state)


def test_shape__fake_hosts_with_a_process_each__apart_while_it_is_asked_for(state: State) -> None:
    state.remember(driver="fake", hosts=1, cells=1)
    assert shape(Up(agents_apart=True), state).apart
    assert not shape(Up(), state).apart


def test_shape__processes_of_more_hosts_than_a_machine_should_have__refused(state: State) -> None:
    with pytest.raises(TooManyProcesses, match="--hosts 100 or fewer"):
        shape(Up(driver="fake", hosts=101, agents_apart=True), state)


def test_hosts_apart__fake_ones__are_called_as_those_of_one_process(state: State) -> None:
    found = hosts_apart(Shape("fake", 2, 1, fake_apart=True), state)
    assert {host: folder.name for host, folder in found.items()} == {"fake-00001": "host-1", "fake-00002": "host-2"}


def test_hosts_apart__each_has_a_name_and_a_directory_of_its_own(state: State) -> None:
    (state.folder("hypervisor") / "host-name").write_text("box")
    found = hosts_apart(Shape("qemu", 2, 1), state)
    assert {host: folder.name for host, folder in found.items()} == {"box-1": "host-1", "box-2": "host-2"}
