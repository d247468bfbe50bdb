"""The configuration as text."""

import tomllib

import msgspec

from kilonova.app.config import Config
from kilonova.app.config_sources import load
from kilonova.app.config_text import MASK, markdown, toml
from kilonova.operations import quota


def test_toml__read_back__same_configuration() -> None:
    config = load(None, {}, {"up": {"listen": 'a"b\\c', "hosts": 3}})
    assert msgspec.convert(tomllib.loads(toml(config)), Config) == config


def test_toml__secret__masked() -> None:
    text = toml(load(None, {"KILONOVA_IDENTITY_PASSWORD": "s3cret"}, {}))
    assert "s3cret" not in text
    assert f'password = "{MASK}"' in text


def test_markdown__every_key__has_a_row() -> None:
    rows = markdown()
    for section in msgspec.structs.fields(Config):
        for key in msgspec.structs.fields(section.type):
            assert f"`KILONOVA_{section.name}_{key.name}`".upper() in rows


def test_quota_defaults__in_the_configuration__those_of_the_quota_module() -> None:
    assert msgspec.structs.asdict(Config().quota) == quota.DEFAULTS
