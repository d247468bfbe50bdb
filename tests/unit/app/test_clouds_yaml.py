"""How clients log in."""

from pathlib import Path

import yaml

from cloud import CHEAP_HASHES, URL
from kilonova.app import clouds_yaml
from kilonova.app.config_sources import load
from kilonova.app.state import open_state
from kilonova.runtime.real import RealRuntime

RUNTIME = RealRuntime()


def test_write__built_in_identity__two_clouds_for_the_owner_only(tmp_path: Path) -> None:
    state = open_state(tmp_path, RUNTIME)
    clouds_yaml.write(state, load(None, {}, {"identity": CHEAP_HASHES}), URL, RUNTIME)
    state.close()
    file = tmp_path / "clouds.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    clouds = yaml.safe_load(file.read_text())["clouds"]
    assert list(clouds) == ["kilonova-admin", "kilonova"]
    auth = clouds["kilonova"]["auth"]
    assert auth["auth_url"] == f"{URL}/identity/v3"
    assert (auth["username"], auth["project_name"]) == ("kilonova", "kilonova")
    assert len(auth["password"]) > 30
    assert auth["password"] != clouds["kilonova-admin"]["auth"]["password"]


def test_write__keystone_outside__no_file(tmp_path: Path) -> None:
    state = open_state(tmp_path, RUNTIME)
    (tmp_path / "clouds.yaml").write_text("clouds:")
    clouds_yaml.write(state, load(None, {}, {"identity": {"url": "http://keystone"}}), URL, RUNTIME)
    state.close()
    assert not (tmp_path / "clouds.yaml").exists()
