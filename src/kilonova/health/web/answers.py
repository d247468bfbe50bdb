"""One page, two forms: HTML for people, JSON for programs, at the same URL, with a tag by which a known answer isn't sent again.

Source: RFC 9110, "HTTP Semantics", 8.8.3 (ETag), 12.5.1 (Accept), 13.1.2 (If-None-Match).
"""

import hashlib

import msgspec

from kilonova.health.moments import moment
from kilonova.health.web.page import HEADERS
from kilonova.web.call import Call, Reply

_encode = msgspec.json.Encoder(order="deterministic").encode


def asked(call: Call, name: str) -> str:
    """A parameter of the query; empty where there is none."""
    return dict(call.query).get(name, "")


def moment_asked(call: Call, now: float) -> float:
    """The moment that `?at=` names; now without. Raises `BadMoment`."""
    named = asked(call, "at")
    return moment(named) if named else now


def wants_json(call: Call) -> bool:
    """Whether a program asks: by `?format=json`, or because it accepts JSON and no HTML."""
    accepted = call.headers.get("accept", "")
    return asked(call, "format") == "json" or ("application/json" in accepted and "text/html" not in accepted)


def answered(call: Call, document: object, at: float, shown: Reply) -> Reply:
    """What a page says, in the form that was asked for; 304 where the asker has it already.

    Args:
        call: who asks.
        document: what the page says. The tag is made of it and not of the moment.
        at: the moment that is shown, in seconds since the epoch.
        shown: the page.
    """
    as_json = wants_json(call)
    said = _encode(document)
    tag = f'W/"{hashlib.blake2b(said + bytes([as_json]), digest_size=12).hexdigest()}"'
    headers = {**HEADERS, "Cache-Control": "private, no-cache", "ETag": tag, "Vary": "Accept"}
    if tag in (one.strip() for one in call.headers.get("if-none-match", "").split(",")):
        return Reply(status=304, headers=headers)
    if as_json:
        return Reply(b'{"at":%s,"page":%s}' % (_encode(at), said), headers=headers)
    return Reply(shown.body, shown.status, {**shown.headers, **headers}, shown.media_type)
