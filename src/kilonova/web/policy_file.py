"""Policy files: rules by name that take the place of a service's defaults (oslo.policy reference, "Policy file").

Read is what such files are: JSON, or YAML of one `"name": "check"` a line with comments between. Other YAML is refused.
"""

import re
from pathlib import Path

import msgspec

from kilonova.kernel.errors import Invalid

_LINE = re.compile(
    r"""(?P<q>["']?)(?P<name>[\w:.-]+)(?P=q)\s*:\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^"'#]*))"""
)


class BadPolicyFile(Invalid):
    """{file}: {reason}"""

    code = "bad-config"


def policy_read(file: Path) -> dict[str, str]:
    """The rules of a file. Raises `BadPolicyFile`."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadPolicyFile(file=file, reason=f"it can't be read: {reason}.") from error
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise BadPolicyFile(file=file, reason=f"it is no JSON object of texts: {error}.") from error
    return _lines(file, text)


def _lines(file: Path, text: str) -> dict[str, str]:
    rules: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#") or bare == "---":
            continue
        found = _LINE.fullmatch(bare) or _LINE.fullmatch(bare.partition(" #")[0].rstrip())
        if found is None or line[:1].isspace():
            raise BadPolicyFile(file=f"{file}:{number}", reason='expected "name": "check" on a line of its own.')
        rules[found["name"]] = (found["double"] or found["single"] or found["bare"] or "").strip()
    return rules
