"""Where configuration comes from: the file, the environment over it, the flags over both.

A file is TOML with the tables of `config.Config`. The environment sets `[section] key` by `KILONOVA_SECTION_KEY`, e.g.
`KILONOVA_API_MAX_LIMIT=500`, and lists with commas between; `KILONOVA_CONFIG` is no key: it names the file, for the command
line. Every error is one sentence that names the file and line, the variable or the flag.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kilonova.app.config import Config
from kilonova.kernel.errors import Invalid

PREFIX = "KILONOVA_"
FILE_VARIABLE = "KILONOVA_CONFIG"
Tables = dict[str, dict[str, Any]]


class BadConfig(Invalid):
    """{where}: {reason}"""

    code = "bad-config"


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Mapping[str, Any]]) -> Config:
    """The configuration from all sources.

    Args:
        file: the TOML file; None for none.
        environment: variables by name; those without the prefix are ignored.
        flags: values by section and key; None stands for a flag that was not given.

    Raises:
        BadConfig: anything that can't be read, isn't known or has a wrong value.
    """
    tables: Tables = {}
    origins: dict[tuple[str, str], str] = {}
    if file is not None:
        _lay_file(file, tables, origins)
    _lay_environment(environment, tables, origins)
    for section, values in flags.items():
        for key, value in values.items():
            if value is not None:
                _lay(tables, origins, section, key, value, f"--{key.replace('_', '-')}")
    return _with_password(_convert(tables, origins))


def keys() -> dict[str, tuple[str, ...]]:
    """Every key there is, by section."""
    return {section.name: section.type.__struct_fields__ for section in msgspec.structs.fields(Config)}


def _lay(tables: Tables, origins: dict[tuple[str, str], str], section: str, key: str, value: Any, where: str) -> None:
    """Set one value over what is there. Raises `BadConfig` for a key that does not exist."""
    known = keys()
    if section not in known:
        raise BadConfig(where=where, reason=f"there is no section [{section}]{_nearest(section, known)}")
    if key not in known[section]:
        raise BadConfig(where=where, reason=f"there is no key '{key}' in [{section}]{_nearest(key, known[section])}")
    tables.setdefault(section, {})[key] = value
    origins[section, key] = where


def _nearest(word: str, known: Any) -> str:
    """`; did you mean 'x'?` and the like; the whole choice when nothing is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(sorted(known))}."


def _lay_file(file: Path, tables: Tables, origins: dict[tuple[str, str], str]) -> None:
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise BadConfig(where=str(file), reason=f"it can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadConfig(where=str(file), reason="it is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise _malformed(file, str(error)) from error
    for section, values in document.items():
        if not isinstance(values, dict):
            where = f"{file}:{_line_of(text, None, section)}"
            raise BadConfig(where=where, reason=f"'{section}' stands outside of a section such as [up].")
        if not values and section not in keys():
            _lay(tables, origins, section, "", None, f"{file}:{_line_of(text, section, None)}")
        for key, value in values.items():
            _lay(tables, origins, section, key, value, f"{file}:{_line_of(text, section, key)}")


def _malformed(file: Path, reason: str) -> BadConfig:
    """`tomllib` tells the place in words; it goes to the front, where editors look for it."""
    place = re.search(r" \(at line (\d+), column (\d+)\)$", reason)
    if place is None:
        return BadConfig(where=str(file), reason=f"it is not TOML: {reason}.")
    words = reason[: place.start()]
    return BadConfig(where=f"{file}:{place[1]}", reason=f"it is not TOML: {words} (column {place[2]}).")


def _line_of(text: str, section: str | None, key: str | None) -> int:
    """The line where a key is set, or where its section begins when the key is written some other way."""
    current: str | None = None
    begin = 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            begin = number if current == section else begin
        elif key is not None and current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return begin


def _lay_environment(environment: Mapping[str, str], tables: Tables, origins: dict[tuple[str, str], str]) -> None:
    known = keys()
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("_")
        if key not in known.get(section, ()):
            names = [f"{PREFIX}{section}_{key}".upper() for section, all_keys in known.items() for key in all_keys]
            raise BadConfig(where=name, reason=f"no setting has this variable{_nearest(name, names)}")
        _lay(tables, origins, section, key, environment[name], name)


def _convert(tables: Tables, origins: Mapping[tuple[str, str], str]) -> Config:
    """Type every value; text from the environment becomes what the key is."""
    sections: dict[str, Any] = {}
    for section in msgspec.structs.fields(Config):
        values = _listed(section.type, tables.get(section.name, {}))
        for key, value in values.items():
            from_text = origins[section.name, key].startswith(PREFIX)
            try:
                msgspec.convert({key: value}, section.type, strict=not from_text)
            except msgspec.ValidationError as error:
                reason = str(error).partition(" - at ")[0]
                where = origins[section.name, key]
                raise BadConfig(where=where, reason=f"[{section.name}] {key}: {reason}.") from error
        sections[section.name] = msgspec.convert(values, section.type, strict=False)
    return Config(**sections)


def _listed(section: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values, with those that are lists as such: from the environment they come as text."""
    lists = {key.name for key in msgspec.structs.fields(section) if isinstance(key.default, tuple)}
    return {
        key: [one.strip() for one in value.split(",") if one.strip()]
        if key in lists and isinstance(value, str)
        else value
        for key, value in values.items()
    }


def _with_password(config: Config) -> Config:
    """The password out of its file, where one is named."""
    file = config.identity.password_file
    if file is None:
        return config
    try:
        password = Path(file).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadConfig(where=file, reason=f"[identity] password_file can't be read: {reason}.") from error
    return msgspec.structs.replace(config, identity=msgspec.structs.replace(config.identity, password=password))
