"""The reference of the Compute API for people: one page for a microversion, from its OpenAPI document. It needs no JavaScript."""

from collections.abc import Iterator
from html import escape

from kilonova.api.changes import changes
from kilonova.api.openapi import PREFIX, Documents
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:1.5rem auto;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .4rem;border-bottom:1px solid #d5dce3}
header{display:flex;gap:1rem;align-items:baseline;flex-wrap:wrap}nav a{margin-right:.7rem;white-space:nowrap}
details{border:1px solid #d5dce3;border-radius:4px;margin:.3rem 0;padding:.25rem .6rem}summary{cursor:pointer}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow-x:auto;background:#f4f6f8;padding:.5rem;margin:.3rem 0}
b.m{display:inline-block;width:4.8rem;color:#0b5cad}.gone{color:#8a8f96}table{border-collapse:collapse}
td,th{text-align:left;padding:.1rem .8rem .1rem 0;vertical-align:top}a{color:#0b5cad}
@media(prefers-color-scheme:dark){body{color:#dfe6ec;background:#15191d}pre{background:#20262c}details,h2{border-color:#38424c}
a,b.m{color:#7db7f0}}
"""
GONE = "gone"
"""The section of routes that answer 410 at every microversion."""
DEPTH = 12
"""How deep a schema is written out."""


def page(documents: Documents, label: str) -> str:
    """The page of a microversion. Raises `NoSuchMicroversion`."""
    doc = documents.document(label)
    by_tag: dict[str, list[tuple[str, str, Doc]]] = {}
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                tag = GONE if operation.get("deprecated") else operation["tags"][0]
                by_tag.setdefault(tag, []).append((path, method.upper(), operation))
    gone = {GONE: by_tag.pop(GONE, [])}
    parts = [_head(documents, label, [*sorted(by_tag), GONE]), *_news(documents, label)]
    for tag, operations in [*sorted(by_tag.items()), *gone.items()]:
        parts.append(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>')
        parts += [_operation(path, method, operation) for path, method, operation in operations]
    return "\n".join(parts) + "\n</html>\n"


def _head(documents: Documents, label: str, tags: list[str]) -> str:
    options = "".join(
        f"<option{' selected' if one == label else ''}>{one}</option>" for one in reversed(documents.line.labels)
    )
    links = " ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Compute API {label}</title><style>{STYLE}</style>\n"
        f'<header><h1>Compute API, microversion {label}</h1><form action="."><label>Microversion '
        f'<select name="version">{options}</select></label> <button>Show</button></form>'
        f'<a href="{label}.json">OpenAPI document</a></header>\n'
        f"<p>Paths are below <code>{PREFIX}</code>; <code>OpenStack-API-Version: compute {label}</code> asks for this "
        f"microversion, and <code>X-Auth-Token</code> says who asks.</p>\n<nav>{links}</nav>"
    )


def _news(documents: Documents, label: str) -> Iterator[str]:
    told = changes(documents, label, label)
    if told:
        yield f"<h2>New in {label}</h2><ul>"
        yield from (f"<li>{escape(one.text)}</li>" for one in told)
        yield "</ul>"


def _operation(path: str, method: str, operation: Doc) -> str:
    gone = operation.get("deprecated")
    begin = (
        f'<details id="{operation["operationId"]}"{" class=gone" if gone else ""}><summary><b class="m">{method}</b>'
    )
    parts = [f"{begin}<code>{escape(path)}</code> {'Gone.' if gone else escape(operation['summary'])}</summary>"]
    policies = ", ".join(f"<code>{escape(rule)}</code>" for rule in operation.get("x-openstack-policies", ()))
    if policies:
        parts.append(f"<p>Policy: {policies}</p>")
    query = [one for one in operation["parameters"] if one.get("in") == "query"]
    if query:
        rows = "".join(f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['description'])}" for one in query)
        parts.append(f"<table><tr><th>Query<th>{rows}</table>")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for body in schema.get("oneOf", [schema]):
            named = f" <code>{escape(body['title'])}</code>: {escape(body['description'])}" if "title" in body else ""
            parts.append(f"<p>Body{named}</p><pre>{escape(_sketch(body))}</pre>")
    for status, response in operation["responses"].items():
        if "$ref" not in response:
            parts.append(f"<p>{status}: {escape(response['description'])}</p>")
            schemas = [content["schema"] for content in response.get("content", {}).values()]
            parts += [f"<pre>{escape(_sketch(schema))}</pre>" for schema in schemas]
    refusals = ", ".join(status for status, response in operation["responses"].items() if "$ref" in response)
    return "\n".join([*parts, f"<p>Refusals: {refusals}</p></details>"])


def _sketch(schema: Schema, indent: int = 0) -> str:
    """A schema as a person writes it: fields and kinds, `?` behind those that may be missing."""
    pad = "  " * (indent + 1)
    if indent > DEPTH:
        return "..."
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_sketch(one, indent) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(value).lower() if isinstance(value, bool) else repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if "properties" in schema:
        required = schema.get("required", ())
        lines = [
            f"{pad}{name}{'' if name in required else '?'}: {_sketch(inner, indent + 1)}"
            for name, inner in schema["properties"].items()
        ]
        return "{\n" + "\n".join(lines) + "\n" + "  " * indent + "}" + _or_null(schema)
    if "items" in schema:
        return f"[{_sketch(schema['items'], indent)}]" + _or_null(schema)
    if schema.get("additionalProperties"):
        return f"{{any key: {_sketch(schema['additionalProperties'], indent)}}}"
    return _plain(schema)


def _plain(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    named = " or ".join(kind) if isinstance(kind, list) else kind
    return f"{schema['format']}{_or_null(schema)}" if "format" in schema else named


def _or_null(schema: Schema) -> str:
    return " or null" if "null" in (schema.get("type") or ()) and schema.get("type") != "null" else ""
