"""A configuration as text: TOML for `kilonova config show`, a Markdown table for the documentation."""

import json
from typing import Any, get_args

import msgspec
from msgspec import Meta

from kilonova.app.config import SECRET, Config

MASK = "********"


def masked(config: Config) -> dict[str, dict[str, Any]]:
    """Every value by section and key; secrets that are set are masked."""
    document: dict[str, dict[str, Any]] = {}
    for section in msgspec.structs.fields(Config):
        values = msgspec.structs.asdict(getattr(config, section.name))
        secrets = {key.name for key in msgspec.structs.fields(section.type) if _is_secret(key.type)}
        document[section.name] = {name: MASK if name in secrets and value else value for name, value in values.items()}
    return document


def toml(config: Config) -> str:
    """The whole configuration as a TOML file; secrets are masked, keys without a value are comments."""
    lines: list[str] = []
    for section, values in masked(config).items():
        lines.append(f"[{section}]")
        for name, value in values.items():
            lines.append(f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}")
        lines.append("")
    return "\n".join(lines)


def markdown() -> str:
    """The reference: a table for each section, with the meaning, default and variable of every key."""
    parts: list[str] = []
    for section in msgspec.structs.fields(Config):
        parts.append(f"## [{section.name}]\n\n{section.type.__doc__}\n")
        parts.append("| key | default | meaning | environment |\n|---|---|---|---|")
        for key in msgspec.structs.fields(section.type):
            default = "" if key.default is None else f"`{json.dumps(key.default)}`"
            variable = f"KILONOVA_{section.name}_{key.name}".upper()
            parts.append(f"| `{key.name}` | {default} | {_meta(key.type).description} | `{variable}` |")
        parts.append("")
    return "\n".join(parts)


def _meta(annotated: Any) -> Meta:
    """What `config.py` says of a key beside its type."""
    return next(extra for extra in get_args(annotated) if isinstance(extra, Meta))


def _is_secret(annotated: Any) -> bool:
    return bool((_meta(annotated).extra_json_schema or {}).get(SECRET))
