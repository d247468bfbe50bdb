"""`/metrics`: the cloud's measures in Prometheus' text format, version 0.0.4.

Who asks shows the secret that the state directory keeps (`secrets/metrics-token`), as `Authorization: Bearer ...`: monitoring
systems send that as it is, and have no use for tokens that end after an hour.
"""

import hmac
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from kilonova.operations.measures import Labels, Measure, Measures

MEDIA_TYPE = "text/plain; version=0.0.4"


class Metrics:
    """An ASGI application that answers one question."""

    def __init__(self, measures: Measures, token: str) -> None:
        """Tell `measures` to whoever knows `token`."""
        self._measures = measures
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = PlainTextResponse("GET /metrics is all there is here.\n", 404)
        if scope["path"] in {"", "/"} and request.method in {"GET", "HEAD"}:
            given = request.headers.get("authorization", "").encode()
            if hmac.compare_digest(given, self._expected):
                response = PlainTextResponse(text(await self._measures.take()), media_type=MEDIA_TYPE)
            else:
                told = "This needs the secret in secrets/metrics-token of the state directory, as a bearer token.\n"
                response = PlainTextResponse(told, 401, {"WWW-Authenticate": "Bearer"})
        await response(scope, receive, send)


def text(measures: Iterable[Measure]) -> str:
    """The measures in words."""
    return "".join(line + "\n" for measure in measures for line in _lines(measure))


def _lines(measure: Measure) -> Iterable[str]:
    yield f"# HELP {measure.name} {measure.about}"
    yield f"# TYPE {measure.name} {measure.kind}"
    for labels, value in sorted(measure.samples.items()):
        yield f"{measure.name}{_labelled(labels)} {value!r}"


def _labelled(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
