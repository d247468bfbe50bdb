"""Request bodies: from JSON at the caller's microversion to a Struct in the newest shape, or a sentence about what is wrong.

Design notes. The Struct of a body knows every field of every microversion and refuses all others; the line's changes
refuse what the caller's own microversion doesn't have. At v2.0, which is older than strict validation, unknown fields are
dropped and names are trimmed.
"""

import copy
import re
from typing import Any, TypeVar, get_args

import msgspec

from kilonova.api.fields import Name
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Doc, Level, UnknownField
from kilonova.web.call import Call

T = TypeVar("T")

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")
SHOWN_MAX = 200
"""Most characters of a wrong value that a message repeats."""


class BadField(Invalid):
    """Invalid input for field/attribute {field}. Value: {value}. {reason}"""

    code = "bad-field"


def read(call: Call, key: str, kind: type[T], shape: str | None = None) -> T:
    """What stands under the body's only key, as a `kind`, read up from the call's level along `shape`.

    Raises `Invalid` (400) for anything else.
    """
    doc = inner(call, key)
    return struct(call, doc, kind, shape, key)


def whole(call: Call) -> Doc:
    """The body itself, for routes whose fields stand at its top. Raises `Invalid` unless it is an object."""
    if not isinstance(call.body, dict):
        raise Invalid(reason="The request body must be a JSON object.")
    return call.body


def inner(call: Call, key: str) -> Doc:
    """The object under the body's only key. Raises `Invalid`."""
    body = call.body
    if not isinstance(body, dict):
        raise Invalid(reason=f"The request body must be a JSON object that holds '{key}'.")
    if strict(call):
        for other in body:
            if other != key:
                raise UnknownField(field=other[:SHOWN_MAX])
    if key not in body:
        raise BadField(field="body", value=shown(body), reason=f"'{key}' is a required property")
    doc = body[key]
    if not isinstance(doc, dict):
        raise BadField(field=key, value=shown(doc), reason="It must be an object")
    return doc


def struct(call: Call, doc: Doc, kind: type[T], shape: str | None, key: str) -> T:
    """`doc` as a `kind`, read up along `shape`; `key` names it in messages. Raises `Invalid`."""
    if strict(call):
        if shape is not None:
            call.version.up(shape, doc)
    else:
        doc = doc if shape is None else _up_forgiving(call.version, shape, doc)
        _loosen(doc, kind)
    try:
        return msgspec.convert(doc, kind, dec_hook=_read_field)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), doc, key) from error


def strict(call: Call) -> bool:
    """Whether bodies of this call are validated strictly: always, but at v2.0."""
    return call.version.has("strict-validation")


def shown(value: object) -> str:
    """A wrong value as messages repeat it."""
    return repr(value)[:SHOWN_MAX] if not isinstance(value, str) else value[:SHOWN_MAX]


def _up_forgiving(level: Level, shape: str, doc: Doc) -> Doc:
    """`doc` read up, without the fields that `level` doesn't know."""
    while True:
        attempt = copy.deepcopy(doc)
        try:
            return level.up(shape, attempt)
        except UnknownField as error:
            field = str(error.details["field"])
            if field not in doc:
                raise
            del doc[field]


def _read_field(kind: type, value: object) -> Any:
    read_field = getattr(kind, "read", None)
    if read_field is None:
        raise NotImplementedError(f"{kind} is no kind of field")
    return read_field(value)


def _refusal(text: str, doc: Doc, key: str) -> Invalid:
    """A validation error in the API's own words."""
    match = _AT.match(text)
    assert match is not None
    what = match["what"]
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    if unknown:
        return UnknownField(field=unknown[1][:SHOWN_MAX])
    steps = [name or (int(index) if index.isdigit() else None) for name, index in _STEP.findall(match["path"] or "")]
    value: Any = doc
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    reason = f"'{missing[1]}' is a required property" if missing else what[:1].upper() + what[1:]
    names = [str(step) for step in steps if step is not None]
    return BadField(field=".".join(names)[:SHOWN_MAX] or key, value=shown(value), reason=reason)


def _loosen(doc: Any, kind: Any) -> None:
    """What v2.0 forgives: drop unknown fields, trim names. Follows Structs, also in lists and unions."""
    if isinstance(doc, list):
        for item in doc:
            for inner_kind in get_args(kind):
                _loosen(item, inner_kind)
        return
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        for inner_kind in get_args(kind):
            _loosen(doc, inner_kind)
        return
    if not isinstance(doc, dict):
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for name in list(doc):
        if name not in fields:
            del doc[name]
        elif isinstance(doc[name], str) and _is_name(fields[name]):
            doc[name] = doc[name].strip()
        else:
            _loosen(doc[name], fields[name])


def _is_name(kind: Any) -> bool:
    kinds = (kind, *get_args(kind))
    return any(isinstance(one, type) and issubclass(one, Name) for one in kinds)
